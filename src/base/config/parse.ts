// From the text of a config to its value, or to a sentence that says what is wrong with it.

import { unreachable } from '../assert.ts'
import { type AnyConfigDefinition, type ConfigValue, LONG_MAX } from './definition.ts'

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly message: string }

/**
 * Parses and validates. `honoured` (the default) also refuses values that are valid in Kafka and not honoured here;
 * it is switched off for the configs that the node itself gives to its internal topics.
 */
export function parseConfig(
  name: string,
  definition: AnyConfigDefinition,
  text: string,
  options: { readonly honoured: boolean } = { honoured: true },
): Parsed<ConfigValue> {
  const parsed = parseValue(definition, text.trim())
  if (!parsed.ok) return invalid(name, text, parsed.message)
  const outside = outsideOf(definition, parsed.value)
  if (outside !== undefined) return invalid(name, text, outside)
  if (options.honoured) {
    const refused = definition.refuse(parsed.value)
    if (refused !== undefined) {
      return { ok: false, message: `Value ${text} of configuration ${name} is refused: ${refused}` }
    }
  }
  return parsed
}

function invalid(name: string, text: string, why: string): { ok: false; message: string } {
  return { ok: false, message: `Invalid value ${text} for configuration ${name}: ${why}` }
}

function parseValue(definition: AnyConfigDefinition, text: string): Parsed<ConfigValue> {
  switch (definition.type) {
    case 'boolean':
      return parseBoolean(text)
    case 'int':
    case 'long':
      return parseInteger(text)
    case 'double':
      return parseDouble(text)
    case 'string':
    case 'enum':
      return { ok: true, value: text }
    case 'list':
      return { ok: true, value: text === '' ? [] : text.split(',').map((item) => item.trim()) }
    default:
      return unreachable(definition.type)
  }
}

function parseBoolean(text: string): Parsed<boolean> {
  const lower = text.toLowerCase()
  if (lower === 'true') return { ok: true, value: true }
  if (lower === 'false') return { ok: true, value: false }
  return { ok: false, message: 'Expected true or false' }
}

function parseInteger(text: string): Parsed<number> {
  if (!/^[+-]?\d{1,19}$/.test(text)) return { ok: false, message: 'Not an integer' }
  const exact = BigInt(text)
  if (BigInt.asIntN(64, exact) !== exact) return { ok: false, message: 'Does not fit 64 bits' }
  return { ok: true, value: Math.max(-LONG_MAX, Math.min(LONG_MAX, Number(exact))) }
}

function parseDouble(text: string): Parsed<number> {
  const value = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : NaN
  return Number.isFinite(value) ? { ok: true, value } : { ok: false, message: 'Not a number' }
}

function outsideOf(definition: AnyConfigDefinition, value: ConfigValue): string | undefined {
  const { min, max, values } = definition
  if (typeof value === 'number') {
    if (min !== undefined && value < min) return `Value must be at least ${min}`
    if (max !== undefined && value > max) return `Value must be no more than ${max}`
  }
  if (values === undefined) return undefined
  const choices = values.join(', ')
  if (typeof value === 'string') {
    return values.includes(value) ? undefined : `String must be one of: ${choices}`
  }
  if (typeof value === 'object') {
    return value.every((item) => values.includes(item))
      ? undefined
      : `Each element must be one of: ${choices}`
  }
  return undefined
}
