// Random values of a message in one version, straight from its schema: every field that the version has gets a value that
// is legal there, edges more often than chance would give them; the others keep their defaults, so that decoding what was
// encoded gives the value back.

import { defaultOf } from '../defaults.ts'
import type { Message } from '../message.ts'
import { INT64_MAX } from '../reader.ts'
import type { Field, ScalarKind, StructNode, TypeNode } from '../schema.ts'
import { below, pick, type Random } from './random.ts'

export interface Size {
  readonly arrayMin: number
  /** Longest array at the top; deeper ones are shorter. */
  readonly arrayMax: number
  /** Longest string and byte field, apart from a rare one that needs a longer length. */
  readonly bytesMax: number
  /** Whether strings and bytes are now and then long enough to take other paths. */
  readonly long: boolean
}

export type Values = Record<string, unknown>

export function generate<Value, Input>(
  message: Message<Value, Input>,
  version: number,
  random: Random,
  size: Size,
): Input & Value {
  // Built from the schema that both types were inferred from.
  return generateStruct(message.node, version, random, size) as Input & Value
}

/** Whether a field is part of a version. */
export function hasField(field: Field, version: number): boolean {
  return version >= (field.options.since ?? 0) && version <= (field.options.until ?? Infinity)
}

/** Whether a field may be null in a version. */
export function mayBeNull(field: Field, version: number): boolean {
  const { nullableSince = 0, nullableUntil = Infinity } = field.options
  return field.type.kind === 'nullable' && version >= nullableSince && version <= nullableUntil
}

function generateStruct(node: StructNode, version: number, random: Random, size: Size): Values {
  const value: Values = {}
  for (const field of node.fields) value[field.name] = generateField(field, version, random, size)
  return value
}

function generateField(field: Field, version: number, random: Random, size: Size): unknown {
  if (!hasField(field, version)) return defaultOf(field)
  const optional = field.options.tag !== undefined || field.options.default !== undefined
  if (optional && random() < 0.3) {
    const value = defaultOf(field)
    if (value !== null || mayBeNull(field, version)) return value
  }
  if (mayBeNull(field, version) && random() < 0.2) return null
  return generateType(field.type, version, random, size)
}

function generateType(node: TypeNode, version: number, random: Random, size: Size): unknown {
  switch (node.kind) {
    case 'nullable':
      return generateType(node.inner, version, random, size)
    case 'array': {
      const inner = { ...size, arrayMax: Math.max(1, Math.floor(size.arrayMax / 2)) }
      const { arrayMin, arrayMax } = size
      const length = arrayMin + below(random, arrayMax - arrayMin + 1)
      return Array.from({ length }, () => generateType(node.element, version, random, inner))
    }
    case 'struct':
      return generateStruct(node, version, random, size)
    case 'string':
      return generateString(random, size)
    case 'bytes':
    case 'records':
      return generateBytes(random, size)
    default:
      return SCALARS[node.kind](random)
  }
}

const integer =
  (min: number, max: number) =>
  (random: Random): number => {
    const kind = random()
    if (kind < 0.25) return pick(random, [min, max, 0, Math.max(min, -1), 1])
    if (kind < 0.6) return Math.max(min, below(random, 100))
    return Math.min(max, min + Math.floor(random() * (max - min + 1)))
  }

const safeInteger = integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)

type Scalar = Exclude<ScalarKind, 'string' | 'bytes' | 'records'>

const SCALARS: { readonly [Kind in Scalar]: (random: Random) => unknown } = {
  bool: (random) => random() < 0.5,
  int8: integer(-0x80, 0x7f),
  int16: integer(-0x8000, 0x7fff),
  int32: integer(-0x80000000, 0x7fffffff),
  int64: safeInteger,
  int64OrMax: (random) => (random() < 0.3 ? INT64_MAX : safeInteger(random)),
  uint16: integer(0, 0xffff),
  uint32: integer(0, 0xffffffff),
  float64: (random) => pick(random, [0, -1.5, random() * 1e9, 1e300, -0.1]),
  uuid: (random) =>
    Buffer.from(Array.from({ length: 16 }, () => below(random, 256))).toString('base64url'),
}

const ALPHABETS = [
  'abcdefghijklmnopqrstuvwxyz-_.0123456789',
  'aäöüß€漢字',
  '\u0000\u007f\u0080\u07ff\u0800\ufeff\uffff',
  '🐱𝄞é',
] as const

function generateString(random: Random, size: Size): string {
  const alphabet = [...(random() < 0.6 ? ALPHABETS[0] : pick(random, ALPHABETS))] as [string]
  const length = below(random, lengthMax(random, size, 400) + 1)
  let text = ''
  for (let i = 0; i < length; i++) text += pick(random, alphabet)
  return text
}

function generateBytes(random: Random, size: Size): Uint8Array {
  const bytes = new Uint8Array(below(random, lengthMax(random, size, 3000) + 1))
  for (let i = 0; i < bytes.length; i++) bytes[i] = below(random, 256)
  return bytes
}

function lengthMax(random: Random, size: Size, long: number): number {
  return size.long && random() < 0.05 ? long : size.bytesMax
}
