// What the creation record of a replica holds for ever (law R7): the group's initial voters, each a node and its data
// directory (law R6). Kept by storage as opaque bytes.

import { asNodeId, type NodeId } from '../base/brand.ts'

export interface Voter {
  readonly nodeId: NodeId
  readonly directoryId: string
}

export interface GroupDescriptor {
  /** In preferred order. */
  readonly voters: readonly Voter[]
  /** Of the metadata log only: fixed when the cluster forms. */
  readonly clusterId?: string
}

const VERSION = 1

export function encodeDescriptor({ voters, clusterId }: GroupDescriptor): Uint8Array {
  const text = JSON.stringify({
    version: VERSION,
    voters: voters.map(({ nodeId, directoryId }) => [nodeId, directoryId]),
    ...(clusterId === undefined ? {} : { clusterId }),
  })
  return new TextEncoder().encode(text)
}

/** Undefined for a replica that was created before groups had descriptors (a node by itself). Throws on a later version. */
export function decodeDescriptor(bytes: Uint8Array): GroupDescriptor | undefined {
  if (bytes.length === 0) return undefined
  const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  if (!isRecord(value) || value['version'] !== VERSION) {
    throw new Error(
      `a replica's descriptor of version ${String(isRecord(value) && value['version'])}: written by a later version of Chronik`,
    )
  }
  const { voters, clusterId } = value
  if (!Array.isArray(voters) || !voters.every(isVoterPair))
    throw new Error('a descriptor without voters')
  return {
    voters: voters.map(([nodeId, directoryId]) => ({ nodeId: asNodeId(nodeId), directoryId })),
    ...(typeof clusterId === 'string' ? { clusterId } : {}),
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isVoterPair(value: unknown): value is [number, string] {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    Number.isInteger(value[0]) &&
    typeof value[1] === 'string'
  )
}
