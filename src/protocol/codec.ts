// Compiles a schema for one version into a pair of closures. Compiling decides once what the
// version has; reading and writing then only follow the list of its fields.

import { assert } from '../base/assert.ts'
import { defaultOf, sameValue } from './defaults.ts'
import {
  bytesCodec,
  checkLength,
  refuseNull,
  SCALARS,
  stringCodec,
  writeLength,
  type Codec,
  type Nullability,
  type Version,
} from './plain-codecs.ts'
import type { Reader } from './reader.ts'
import type { Field, FieldOptions, StructNode, TypeNode } from './schema.ts'
import { Writer } from './writer.ts'

type Values = Record<string, unknown>

export function compileStruct(node: StructNode, version: number, flexible: boolean): Codec {
  return structCodec(node, { number: version, flexible }, { nullable: false })
}

function compile(node: TypeNode, version: Version, options: Nullability): Codec {
  switch (node.kind) {
    case 'nullable':
      return compile(node.inner, version, options)
    case 'array':
      return arrayCodec(compile(node.element, version, { nullable: false }), version, options)
    case 'struct':
      return structCodec(node, version, options)
    case 'string':
      return stringCodec(version, options)
    case 'bytes':
    case 'records':
      return bytesCodec(version, options)
    default:
      return SCALARS[node.kind]
  }
}

function arrayCodec(element: Codec, { flexible }: Version, options: Nullability): Codec {
  const elementBytesMin = Math.max(1, element.bytesMin)
  return {
    bytesMin: flexible ? 1 : 4,
    decode(reader) {
      const length = flexible ? reader.compactLength() : reader.int32()
      if (!checkLength(reader, length, options)) return null
      reader.claimElements(length, elementBytesMin)
      const values: unknown[] = []
      for (let i = 0; i < length; i++) values.push(element.decode(reader))
      return values
    },
    encode(writer, value) {
      if (value === null) {
        refuseNull(writer, options)
        return writeLength(writer, -1, flexible)
      }
      if (!Array.isArray(value)) return writer.fail(`${String(value)} is not an array`)
      writeLength(writer, value.length, flexible)
      for (const item of value as readonly unknown[]) element.encode(writer, item)
    },
  }
}

interface CompiledField {
  readonly name: string
  readonly codec: Codec
  readonly default: unknown
  /** What is written when the field is left out; undefined when it must not be. */
  readonly fallback: unknown
}

interface TaggedField extends CompiledField {
  readonly tag: number
}

function within(version: number, since: number | undefined, until: number | undefined): boolean {
  return version >= (since ?? 0) && version <= (until ?? Infinity)
}

function compileField(field: Field, version: Version): CompiledField {
  const { nullableSince, nullableUntil } = field.options
  const nullable =
    field.type.kind === 'nullable' && within(version.number, nullableSince, nullableUntil)
  const codec = compile(field.type, version, { nullable })
  const standard = defaultOf(field)
  return {
    name: field.name,
    codec,
    default: standard,
    fallback: isOmittable(field.options) ? standard : undefined,
  }
}

/** The rule that the input types follow (`Omittable` in schema.ts). */
function isOmittable({ default: standard, since, until, tag }: FieldOptions): boolean {
  return [standard, since, until, tag].some((option) => option !== undefined)
}

function structCodec(node: StructNode, version: Version, options: Nullability): Codec {
  const plain: CompiledField[] = []
  const tagged: TaggedField[] = []
  /** Fields that this version lacks and whose values must not be dropped. */
  const absent: Field[] = []
  const defaults: Values = {}
  for (const field of node.fields) {
    defaults[field.name] = defaultOf(field)
    const { since, until, tag, taggedSince, ignorable } = field.options
    if (!within(version.number, since, until)) {
      if (ignorable !== true) absent.push(field)
    } else if (tag !== undefined && within(version.number, taggedSince, undefined)) {
      assert(version.flexible, `tagged field ${field.name} in a version without tagged fields`)
      tagged.push({ ...compileField(field, version), tag })
    } else {
      plain.push(compileField(field, version))
    }
  }
  tagged.sort((a, b) => a.tag - b.tag)
  let bytesMin = version.flexible ? 1 : 0
  for (const field of plain) bytesMin += field.codec.bytesMin

  const decodeFields = (reader: Reader): Values => {
    // Copying the defaults gives every value of the type the same shape, and lacking fields their default.
    const value = { ...defaults }
    for (const field of plain) {
      reader.field = field.name
      value[field.name] = field.codec.decode(reader)
    }
    if (version.flexible) decodeTagged(reader, tagged, value)
    return value
  }
  const encodeFields = (writer: Writer, value: Values): void => {
    for (const field of absent) refuseAbsent(writer, field, value[field.name])
    for (const field of plain) {
      writer.field = field.name
      const given = value[field.name]
      field.codec.encode(writer, given === undefined ? field.fallback : given)
    }
    if (version.flexible) encodeTagged(writer, tagged, value)
  }
  if (options.nullable) return nullableStruct(bytesMin, decodeFields, encodeFields)
  return {
    bytesMin,
    decode: decodeFields,
    encode: (writer, value) => {
      if (typeof value !== 'object' || value === null)
        writer.fail(`${String(value)} is not a struct`)
      encodeFields(writer, value as Values)
    },
  }
}

/** A struct that may be null is preceded by one byte: 1, or -1 for null. */
function nullableStruct(
  bytesMin: number,
  decodeFields: (reader: Reader) => Values,
  encodeFields: (writer: Writer, value: Values) => void,
): Codec {
  return {
    bytesMin: 1,
    decode(reader) {
      const mark = reader.int8()
      if (mark === -1) return null
      if (mark !== 1) reader.fail(`${mark} where 1 or -1 marks a struct`)
      if (bytesMin > reader.remaining) reader.fail(`${bytesMin} bytes needed`)
      return decodeFields(reader)
    },
    encode(writer, value) {
      if (value === null) return writer.int8(-1)
      if (typeof value !== 'object') writer.fail(`${String(value)} is not a struct`)
      writer.int8(1)
      encodeFields(writer, value as Values)
    },
  }
}

/** KIP-482: the tags ascend; what is unknown is skipped. */
function decodeTagged(reader: Reader, known: readonly TaggedField[], value: Values): void {
  const count = reader.unsignedVarint()
  if (count === 0) return
  if (count * 2 > reader.remaining) reader.fail(`${count} tagged fields`)
  let previous = -1
  for (let i = 0; i < count; i++) {
    const tag = reader.unsignedVarint()
    if (tag <= previous) reader.fail(`tag ${tag} after tag ${previous}`)
    previous = tag
    const size = reader.unsignedVarint()
    const field = known.find((candidate) => candidate.tag === tag)
    if (field === undefined) {
      reader.skip(size)
      continue
    }
    reader.field = field.name
    const outer = reader.enter(size)
    value[field.name] = field.codec.decode(reader)
    reader.leave(outer)
  }
}

function encodeTagged(writer: Writer, tagged: readonly TaggedField[], value: Values): void {
  const present = tagged.filter((field) => {
    const given = value[field.name]
    return given !== undefined && !sameValue(given, field.default)
  })
  writer.unsignedVarint(present.length)
  for (const field of present) {
    const inner = new Writer()
    inner.field = field.name
    field.codec.encode(inner, value[field.name])
    writer.unsignedVarint(field.tag)
    writer.unsignedVarint(inner.size)
    for (const chunk of inner.finish()) writer.bytes(chunk)
  }
}

function refuseAbsent(writer: Writer, field: Field, given: unknown): void {
  if (given === undefined || sameValue(given, defaultOf(field))) return
  writer.field = field.name
  writer.fail('set, but the version does not have it')
}
