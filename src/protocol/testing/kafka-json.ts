// The JSON that Kafka's generated converters read and write (`*JsonConverter`): the fields that a version has, bytes in
// base64, record batches as their size when written.

import { defaultOf } from '../defaults.ts'
import { INT64_MAX } from '../reader.ts'
import type { Field, StructNode, TypeNode } from '../schema.ts'
import { hasField, type Values } from './generate.ts'

/** Stands for `Long.MAX_VALUE`, which no JavaScript number is. */
const INT64_MAX_MARK = '\u0001INT64_MAX'

/** JSON text of a value as Kafka reads it. */
export function toKafkaJson(node: StructNode, value: unknown, version: number): string {
  const text = JSON.stringify(structToJson(node, value as Values, version))
  return text.replaceAll(JSON.stringify(INT64_MAX_MARK), '9223372036854775807')
}

function structToJson(node: StructNode, value: Values, version: number): Values {
  const json: Values = {}
  for (const field of node.fields) {
    if (hasField(field, version)) json[field.name] = toJson(field.type, value[field.name], version)
  }
  return json
}

function toJson(node: TypeNode, value: unknown, version: number): unknown {
  if (value === null) return null
  switch (node.kind) {
    case 'nullable':
      return toJson(node.inner, value, version)
    case 'array':
      return (value as readonly unknown[]).map((item) => toJson(node.element, item, version))
    case 'struct':
      return structToJson(node, value as Values, version)
    case 'bytes':
    case 'records':
      return Buffer.from(value as Uint8Array).toString('base64')
    case 'int64OrMax':
      return value === INT64_MAX ? INT64_MAX_MARK : value
    default:
      return value
  }
}

/** The value that Kafka's JSON stands for; record batches are given as their size. */
export function fromKafkaJson(node: StructNode, json: unknown, version: number): Values {
  const given = json as Values
  const value: Values = {}
  for (const field of node.fields) value[field.name] = fieldFromJson(field, given, version)
  return value
}

function fieldFromJson(field: Field, json: Values, version: number): unknown {
  const sized = json[`${field.name}SizeInBytes`]
  if (sized !== undefined) return { sizeInBytes: sized }
  const given = json[field.name]
  return given === undefined ? defaultOf(field) : fromJson(field.type, given, version)
}

function fromJson(node: TypeNode, json: unknown, version: number): unknown {
  if (json === null) return null
  switch (node.kind) {
    case 'nullable':
      return fromJson(node.inner, json, version)
    case 'array':
      return (json as readonly unknown[]).map((item) => fromJson(node.element, item, version))
    case 'struct':
      return fromKafkaJson(node, json, version)
    case 'bytes':
    case 'records':
      return new Uint8Array(Buffer.from(String(json), 'base64'))
    default:
      return json
  }
}

/** A value with its record batches replaced by their sizes, as Kafka tells them. */
export function withRecordSizes(node: TypeNode, value: unknown): unknown {
  if (value === null && node.kind !== 'nullable') return null
  switch (node.kind) {
    case 'nullable':
      if (node.inner.kind !== 'records')
        return value === null ? null : withRecordSizes(node.inner, value)
      return value === null ? null : withRecordSizes(node.inner, value)
    case 'array':
      return (value as readonly unknown[]).map((item) => withRecordSizes(node.element, item))
    case 'struct':
      return Object.fromEntries(
        node.fields.map((field) => [
          field.name,
          withRecordSizes(field.type, (value as Values)[field.name]),
        ]),
      )
    case 'records':
      return { sizeInBytes: (value as Uint8Array).byteLength }
    default:
      return value
  }
}
