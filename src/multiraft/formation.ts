// How a cluster comes to be, from a static list of peers (law R6), and never twice. A node whose directory is empty tells
// every listed peer so. Only when all of them, this node included, are empty and have the same list, the lowest id draws the
// cluster's id and fixes the voters with their directory ids, durably; the others take that over. A node that finds a
// formed cluster joins only if that cluster names its directory: one that was emptied must not vote with amnesia.

import { asNodeId, type NodeId } from '../base/brand.ts'
import type { Logger, Timer, Timers } from '../env/env.ts'
import type { GroupDescriptor, Voter } from './descriptor.ts'
import type { NodeIdentity, PeerAddress } from './transport/transport.ts'

/** The cluster can't be formed or joined by this node as it is; the message says why and what to do. */
export class FormationError extends Error {
  override readonly name = 'FormationError'
}

export type FormedCluster = GroupDescriptor & { readonly clusterId: string }

export interface FormationOptions {
  readonly timers: Timers
  readonly log: Logger
  readonly self: { readonly nodeId: NodeId; readonly directoryId: string }
  /** All listed peers, this node included. */
  readonly peers: readonly PeerAddress[]
  /** What this node's directory holds. */
  readonly formed: FormedCluster | undefined
  /** The directory holds nothing because it lost what it held (law R5): it can only be told which cluster it belongs to. */
  readonly lost?: boolean
  readonly newClusterId: () => string
  readonly send: (to: NodeId, body: Uint8Array) => boolean
  /** Makes the cluster this node's own, durably. */
  readonly adopt: (cluster: FormedCluster) => Promise<void>
}

/** One node's word about itself. */
interface Status {
  readonly version: number
  /** Its list of peers, in one canonical text. */
  readonly peers: string
  /** Its directory held something that was lost: no cluster is formed with it. */
  readonly lost: boolean
  /** Null: its directory is empty. */
  readonly formed: {
    readonly clusterId: string
    readonly voters: readonly (readonly [number, string])[]
  } | null
}

const VERSION = 1
const STATUS_BYTES_MAX = 64 * 1024
const SAY_EVERY_MS = 50
const COMPLAIN_EVERY_MS = 10_000

export class Formation {
  readonly #options: FormationOptions
  readonly #list: string
  /** What the peers' present processes said. */
  readonly #said = new Map<NodeId, { readonly identity: NodeIdentity; readonly status: Status }>()
  #formed: FormedCluster | undefined
  #adopting = false
  #timer: Timer | undefined
  #done: ((cluster: FormedCluster) => void) | undefined
  #failed: ((error: Error) => void) | undefined
  #rounds = 0

  constructor(options: FormationOptions) {
    this.#options = options
    this.#formed = options.formed
    this.#list = canonicalList(options.peers)
  }

  /** Resolves with the cluster that this node belongs to. Fails with FormationError. */
  run(): Promise<FormedCluster> {
    const known = this.#formed
    if (known !== undefined) {
      const problem = this.#listProblem(known)
      return problem === undefined ? Promise.resolve(known) : Promise.reject(problem)
    }
    return new Promise((resolve, reject) => {
      this.#done = resolve
      this.#failed = reject
      this.#say()
    })
  }

  /** Whatever a peer says, it is answered while this node knows more than it. Throws on what is no status. */
  receive(from: NodeIdentity, body: Uint8Array): void {
    const status = decodeStatus(body)
    if (this.#formed !== undefined) {
      if (status.formed === null) this.#sayTo(from.nodeId)
      return
    }
    this.#said.set(from.nodeId, { identity: from, status })
    this.#consider()
  }

  /** What a process said that is gone does not count. */
  peerDown(node: NodeId): void {
    this.#said.delete(node)
  }

  close(): void {
    this.#timer?.cancel()
    this.#failed?.(new FormationError('the node was stopped before its cluster was formed'))
    this.#settled()
  }

  #say(): void {
    for (const { nodeId } of this.#options.peers) {
      if (nodeId !== this.#options.self.nodeId) this.#sayTo(nodeId)
    }
    if (this.#rounds++ % (COMPLAIN_EVERY_MS / SAY_EVERY_MS) === 0) this.#complain()
    this.#consider()
    if (this.#done === undefined) return
    this.#timer = this.#options.timers.after(SAY_EVERY_MS, () => this.#say())
  }

  #sayTo(node: NodeId): void {
    this.#options.send(
      node,
      encodeStatus({
        version: VERSION,
        peers: this.#list,
        lost: this.#options.lost === true,
        formed: this.#own(),
      }),
    )
  }

  #own(): Status['formed'] {
    if (this.#formed === undefined) return null
    const { clusterId, voters } = this.#formed
    return { clusterId, voters: voters.map(({ nodeId, directoryId }) => [nodeId, directoryId]) }
  }

  /** The peers that have not said anything yet. */
  get missing(): NodeId[] {
    return this.#options.peers
      .map(({ nodeId }) => nodeId)
      .filter((nodeId) => nodeId !== this.#options.self.nodeId && !this.#said.has(nodeId))
  }

  #complain(): void {
    const { missing } = this
    const lost = [...this.#said].filter(([, { status }]) => status.lost).map(([node]) => node)
    if (this.#options.lost === true) lost.push(this.#options.self.nodeId)
    if (lost.length > 0) {
      this.#options.log.warn(
        'a node whose journal was damaged waits for a node that still knows the cluster; none is formed with it',
        { lost: lost.join(', ') },
      )
    }
    if (this.#rounds <= 1 || missing.length === 0) return
    this.#options.log.warn('the cluster is not formed yet: it needs all its nodes once', {
      missing: missing.join(', '),
    })
  }

  #consider(): void {
    if (this.#done === undefined || this.#adopting) return
    const { self, peers } = this.#options
    for (const { status } of this.#said.values()) {
      if (status.formed !== null) {
        this.#join(status.formed)
        return
      }
    }
    if (this.#options.lost === true) return
    const others = peers.filter(({ nodeId }) => nodeId !== self.nodeId)
    if (others.some(({ nodeId }) => nodeId < self.nodeId)) return
    const voters: Voter[] = [{ nodeId: self.nodeId, directoryId: self.directoryId }]
    for (const { nodeId } of others) {
      const said = this.#said.get(nodeId)
      if (said === undefined) return
      if (said.status.lost) return
      if (said.status.peers !== this.#list) {
        this.#fail(
          `node ${nodeId} was started with the peers ${said.status.peers}, this node with ${this.#list}; ` +
            'start all nodes with the same list',
        )
        return
      }
      voters.push({ nodeId, directoryId: said.identity.directoryId })
    }
    voters.sort((a, b) => a.nodeId - b.nodeId)
    this.#adopt({ clusterId: this.#options.newClusterId(), voters })
  }

  #join({ clusterId, voters: pairs }: NonNullable<Status['formed']>): void {
    const { self } = this.#options
    const voters = pairs.map(([nodeId, directoryId]) => ({ nodeId: asNodeId(nodeId), directoryId }))
    const cluster = { clusterId, voters }
    const known = voters.find(({ nodeId }) => nodeId === self.nodeId)
    if (known === undefined) {
      this.#fail(
        `the cluster ${clusterId} was formed by the nodes ${voters.map(({ nodeId }) => nodeId).join(', ')}; ` +
          `node ${self.nodeId} is not one of them, and nodes can't be added yet`,
      )
      return
    }
    if (known.directoryId !== self.directoryId) {
      this.#fail(
        `node ${self.nodeId} of the cluster ${clusterId} has another data directory (${known.directoryId}); this one is empty. ` +
          "Start it with its own directory; a lost directory can't be replaced yet, and an empty one must not vote in its place",
      )
      return
    }
    const problem = this.#listProblem(cluster)
    if (problem !== undefined) this.#fail(problem.message)
    else this.#adopt(cluster)
  }

  #listProblem({ clusterId, voters }: FormedCluster): FormationError | undefined {
    const formedBy = voters.map(({ nodeId }) => nodeId).toSorted((a, b) => a - b)
    const listed = this.#options.peers.map(({ nodeId }) => nodeId).toSorted((a, b) => a - b)
    if (formedBy.join() === listed.join()) return undefined
    return new FormationError(
      `the cluster ${clusterId} has the nodes ${formedBy.join(', ')}, the list of peers names ${listed.join(', ')}; ` +
        'start the node with the peers that the cluster was formed with',
    )
  }

  #adopt(cluster: FormedCluster): void {
    this.#adopting = true
    void this.#makeOwn(cluster)
  }

  async #makeOwn(cluster: FormedCluster): Promise<void> {
    try {
      await this.#options.adopt(cluster)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      this.#fail(`the cluster could not be written down: ${why}`)
      return
    }
    this.#formed = cluster
    this.#timer?.cancel()
    this.#options.log.info('the cluster is formed', { cluster: cluster.clusterId })
    // The others wait for this word.
    for (const { nodeId } of this.#options.peers) {
      if (nodeId !== this.#options.self.nodeId) this.#sayTo(nodeId)
    }
    const done = this.#done
    this.#settled()
    done?.(cluster)
  }

  #fail(message: string): void {
    this.#timer?.cancel()
    const failed = this.#failed
    this.#settled()
    failed?.(new FormationError(message))
  }

  #settled(): void {
    this.#done = undefined
    this.#failed = undefined
  }
}

function canonicalList(peers: readonly PeerAddress[]): string {
  return peers
    .toSorted((a, b) => a.nodeId - b.nodeId)
    .map(({ nodeId, host, port }) => `${nodeId}@${host}:${port}`)
    .join(',')
}

function encodeStatus(status: Status): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(status))
}

function decodeStatus(body: Uint8Array): Status {
  if (body.length > STATUS_BYTES_MAX) throw new Error(`a status of ${body.length} bytes`)
  const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  if (!isRecord(value)) throw new Error('a status that is no object')
  const { version, peers, formed, lost = false } = value
  if (version !== VERSION) throw new Error(`a status of version ${String(version)}`)
  if (typeof peers !== 'string') throw new Error('a status without peers')
  if (typeof lost !== 'boolean') throw new Error('a status that may be lost')
  if (formed === null) return { version, peers, lost, formed }
  if (!isRecord(formed) || typeof formed['clusterId'] !== 'string' || !isPairs(formed['voters'])) {
    throw new Error('a status of a formed cluster without its voters')
  }
  return {
    version,
    peers,
    lost,
    formed: { clusterId: formed['clusterId'], voters: formed['voters'] },
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isPairs(value: unknown): value is [number, string][] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every(
      (pair: unknown) =>
        Array.isArray(pair) &&
        pair.length === 2 &&
        Number.isInteger(pair[0]) &&
        typeof pair[1] === 'string',
    )
  )
}
