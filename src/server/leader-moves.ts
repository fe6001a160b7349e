// How operators move leaderships in a cluster: one partition's by transfer, a whole node's by an intent that is kept in the
// cluster's metadata and that each node follows (`broker/leader-balance.ts`).

import type { AdminError, AdminResult, TransferDone } from '../admin/cluster-admin.ts'
import { asNodeId, type LogId, type NodeId } from '../base/brand.ts'
import type { MetadataView } from '../controller/controller.ts'
import { logIdOf, type PartitionImage, type TopicImage } from '../controller/metadata-image.ts'
import type { Clock, Timers } from '../env/env.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { Leader, LogHost } from '../replicated/replicated-log.ts'
import { MOVES_ALONE, type LeaderMoves } from './cluster-admin.ts'

/** How long it may take until this node, too, has heard of the new leader. */
const HEARD_MS_MAX = 1_000
const HEARD_RETRY_MS = 10

export interface ClusterLeaderMovesParts {
  readonly env: { readonly clock: Clock; readonly timers: Timers }
  readonly host: LogHost
  readonly controller: MetadataView
}

export class ClusterLeaderMoves implements LeaderMoves {
  readonly #parts: ClusterLeaderMovesParts

  constructor(parts: ClusterLeaderMovesParts) {
    this.#parts = parts
  }

  async transfer(
    topic: TopicImage,
    partition: PartitionImage,
    wanted: number | undefined,
  ): Promise<AdminResult<TransferDone>> {
    const { host } = this.#parts
    const name = `${topic.name}-${partition.index}`
    const id = logIdOf(topic, partition.index)
    const leader = host.leaderOf(id)
    if (leader === undefined) {
      return failed('NO_LEADER', `nobody leads ${name}: a majority of its replicas is missing`)
    }
    if (wanted === leader.nodeId) return done(leader)
    if (partition.replicas.length === 1) return MOVES_ALONE.transfer(topic, partition, wanted)
    const to = wanted === undefined ? this.#choose(id, partition, leader) : asNodeId(wanted)
    if (to === undefined) {
      return failed('TARGET_UNFIT', `no other replica of ${name} is up and in sync`)
    }
    switch (await host.transferLeadership(id, to)) {
      case 'done':
        return done(await this.#heard(id, { nodeId: to, epoch: leader.epoch }))
      case 'target-unfit':
        return failed(
          'TARGET_UNFIT',
          `node ${to} can't take ${name} now: it is down, behind, or its disk does not answer`,
        )
      case 'not-leader':
        return failed('NO_LEADER', `node ${leader.nodeId} lost ${name} meanwhile; ask again`)
      case 'timed-out':
        return failed('TIMED_OUT', `node ${to} has not taken ${name} in time; it still may`)
    }
  }

  async setDraining(nodeId: number, draining: boolean): Promise<AdminResult<void>> {
    const { controller } = this.#parts
    const { errorCode, errorMessage } = await controller.setDraining(asNodeId(nodeId), draining)
    if (errorCode === ErrorCode.NONE) return { ok: true, value: undefined }
    const unknown = errorCode === ErrorCode.BROKER_NOT_AVAILABLE
    return failed(unknown ? 'UNKNOWN_NODE' : 'TIMED_OUT', errorMessage ?? `error ${errorCode}`)
  }

  /** The preferred replica, or where it leads already the first other one that can take over. */
  #choose(id: LogId, { replicas }: PartitionImage, leader: Leader): NodeId | undefined {
    const { host, controller } = this.#parts
    const [preferred] = replicas
    if (preferred !== leader.nodeId) return preferred
    return host
      .inSync(id, replicas)
      .find(
        (node) =>
          node !== leader.nodeId && host.isFit(node) && !controller.image.draining.has(node),
      )
  }

  /** The new leadership, once this node knows it; a guess where it takes too long. */
  async #heard(id: LogId, guess: Leader): Promise<Leader> {
    const { env, host } = this.#parts
    const untilMs = env.clock.monotonicMs() + HEARD_MS_MAX
    for (;;) {
      const leader = host.leaderOf(id)
      if (leader !== undefined && leader.epoch > guess.epoch) return leader
      if (env.clock.monotonicMs() >= untilMs) return guess
      await new Promise<void>((resolve) => env.timers.after(HEARD_RETRY_MS, resolve))
    }
  }
}

function done({ nodeId, epoch }: Leader): AdminResult<TransferDone> {
  return { ok: true, value: { leader: nodeId, leaderEpoch: epoch } }
}

function failed(code: AdminError['code'], message: string): AdminResult<never> {
  return { ok: false, error: { code, message } }
}
