// How far the voters of a group are, as its leader knows it, told to any node (KIP-595, DescribeQuorum).

import { asLogId, type LogId, type NodeId, type Offset } from '../base/brand.ts'
import { comparePositions } from '../base/position.ts'
import { NOTHING } from '../raft/durability.ts'
import { CallError } from './calls.ts'
import type { RaftGroup } from './group.ts'
import type { TransferNode } from './leader-transfers.ts'
import { CallMethod } from './methods.ts'

export interface QuorumDescription {
  readonly leader: number
  readonly leaderEpoch: number
  readonly highWatermark: number
  readonly voters: readonly QuorumVoter[]
}

export interface QuorumVoter {
  readonly nodeId: number
  readonly directoryId: string
  /** Exclusive, durable, verified by this leader; -1: nothing was acknowledged to it yet. */
  readonly logEnd: number
  /** Wall clock of the leader; -1: not known. */
  readonly lastHeardMs: number
  /** When it last held everything. */
  readonly caughtUpMs: number
}

const ANSWER_MS_MAX = 5_000
const VERSION = 1

export type QuorumNode = Pick<TransferNode, 'nodeId' | 'clock' | 'calls' | 'get' | 'leaderOf'>

export class QuorumDescriptions {
  readonly #node: QuorumNode

  constructor(node: QuorumNode) {
    this.#node = node
    node.calls.handle(CallMethod.QUORUM, (_from, body) => {
      const id = asLogId(new TextDecoder().decode(body))
      const answer = { version: VERSION, quorum: this.#here(id) ?? null }
      return Promise.resolve(new TextEncoder().encode(JSON.stringify(answer)))
    })
  }

  /** Undefined: nobody is known to lead it, or its leader does not answer. */
  async describe(id: LogId): Promise<QuorumDescription | undefined> {
    const leader = this.#node.leaderOf(id)?.nodeId
    if (leader === undefined) return undefined
    if (leader === this.#node.nodeId) return this.#here(id)
    const body = new TextEncoder().encode(id)
    try {
      return decode(await this.#node.calls.call(leader, CallMethod.QUORUM, body, ANSWER_MS_MAX))
    } catch (error) {
      if (error instanceof CallError) return undefined
      throw error
    }
  }

  #here(id: LogId): QuorumDescription | undefined {
    const group = this.#node.get(id)
    if (group?.raft.role !== 'leader') return undefined
    return {
      leader: this.#node.nodeId,
      leaderEpoch: group.raft.term,
      highWatermark: group.raft.commit.offset,
      voters: group.voters.map(({ nodeId, directoryId }) => ({
        nodeId,
        directoryId,
        ...this.#progressOf(group, nodeId),
      })),
    }
  }

  #progressOf(group: RaftGroup, node: NodeId): Omit<QuorumVoter, 'nodeId' | 'directoryId'> {
    const { clock, nodeId } = this.#node
    const nowMs = Math.round(clock.nowMs())
    if (node === nodeId) {
      return { logEnd: group.raft.end.offset, lastHeardMs: nowMs, caughtUpMs: nowMs }
    }
    const progress = group.raft.followers.get(node)
    const acknowledged = progress !== undefined && comparePositions(progress.match, NOTHING) > 0
    const logEnd: Offset | -1 = acknowledged ? progress.match.offset : -1
    const caughtUpMs = group.caughtUpMs(node)
    return {
      logEnd,
      // Heartbeats of the node stand for all of its groups.
      lastHeardMs: progress?.answered === true ? nowMs : -1,
      caughtUpMs:
        caughtUpMs === undefined ? -1 : nowMs - Math.round(clock.monotonicMs() - caughtUpMs),
    }
  }
}

function decode(body: Uint8Array): QuorumDescription | undefined {
  const answer = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as {
    readonly version: number
    readonly quorum: QuorumDescription | null
  }
  if (answer.version !== VERSION) {
    throw new Error(`a quorum of version ${answer.version}: the nodes run different versions`)
  }
  return answer.quorum ?? undefined
}
