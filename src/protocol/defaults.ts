// What a field holds when nothing was said about it, and whether a value is just that.

import { ZERO_UUID, type FieldOptions, type TypeNode } from './schema.ts'

type Values = Record<string, unknown>

/** The value that stands for "not given". Shared, so arrays and structs are frozen. */
export function defaultOf(field: {
  readonly type: TypeNode
  readonly options: FieldOptions
}): unknown {
  if (field.options.default !== undefined) return field.options.default
  return zeroOf(field.type)
}

function zeroOf(node: TypeNode): unknown {
  switch (node.kind) {
    case 'nullable':
      return node.inner.kind === 'records' ? null : zeroOf(node.inner)
    case 'array':
      return Object.freeze([])
    case 'struct': {
      const value: Values = {}
      for (const field of node.fields) value[field.name] = defaultOf(field)
      return Object.freeze(value)
    }
    case 'bool':
      return false
    case 'string':
      return ''
    case 'uuid':
      return ZERO_UUID
    case 'bytes':
    case 'records':
      return new Uint8Array(0)
    default:
      return 0
  }
}

/** Equality of a given value with a default; fields left out of a struct count as their defaults. */
export function sameValue(given: unknown, standard: unknown): boolean {
  if (given === standard || given === undefined) return true
  if (given === null || standard === null) return false
  if (Array.isArray(given)) return given.length === 0 && Array.isArray(standard)
  if (given instanceof Uint8Array) return given.byteLength === 0 && standard instanceof Uint8Array
  if (typeof given !== 'object' || typeof standard !== 'object') return false
  const values = given as Values
  const defaults = standard as Values
  for (const name in defaults) if (!sameValue(values[name], defaults[name])) return false
  return true
}
