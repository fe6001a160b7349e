// How a command travels to the node that leads the metadata log, and its answer back: versioned JSON. Commands are rare and
// small, and their shapes are those of `ControllerCommands`.

import type { ControllerCommands } from './commands.ts'

export type CommandName = keyof ControllerCommands

export interface CommandCall {
  readonly name: CommandName
  readonly args: readonly unknown[]
}

export interface CommandAnswer {
  readonly result: unknown
  /** The metadata log was applied up to here when it was answered: the change is below. */
  readonly offset: number
}

const VERSION = 1

/** Closed: what is not listed here can't be called from another node. */
const NAMES: Readonly<Record<CommandName, true>> = {
  createTopics: true,
  autoCreateTopics: true,
  deleteTopics: true,
  createPartitions: true,
  alterConfigs: true,
  incrementalAlterConfigs: true,
  allocateProducerIds: true,
  registerBroker: true,
  setDraining: true,
  catchUp: true,
}

export function encodeCall({ name, args }: CommandCall): Uint8Array {
  return encode({ version: VERSION, name, args })
}

/** Throws on what is not a call of this version. */
export function decodeCall(body: Uint8Array): CommandCall {
  const { name, args } = decode(body)
  if (typeof name !== 'string' || !Object.hasOwn(NAMES, name) || !Array.isArray(args)) {
    throw new Error(`no command ${String(name)}`)
  }
  return { name: name as CommandName, args }
}

export function encodeAnswer({ result, offset }: CommandAnswer): Uint8Array {
  return encode({ version: VERSION, result, offset })
}

export function decodeAnswer(body: Uint8Array): CommandAnswer {
  const { result, offset } = decode(body)
  if (typeof offset !== 'number') throw new Error('an answer without its offset')
  return { result, offset }
}

function encode(value: unknown): Uint8Array {
  const text = JSON.stringify(value, (_key, field: unknown) =>
    field instanceof Map ? { $map: [...(field as ReadonlyMap<unknown, unknown>)] } : field,
  )
  return new TextEncoder().encode(text)
}

function decode(body: Uint8Array): Record<string, unknown> {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(body)
  const value: unknown = JSON.parse(text, (_key, field: unknown) =>
    isRecord(field) && Array.isArray(field['$map'])
      ? new Map(field['$map'] as [unknown, unknown][])
      : field,
  )
  if (!isRecord(value)) throw new Error('no object')
  if (value['version'] !== VERSION) {
    throw new Error(
      `a command of version ${String(value['version'])}: the nodes run different versions of Chronik`,
    )
  }
  return value
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
