// Leaderships go where they belong, by transfer, a few at a time: back to the first replica of their partition once it can take
// them (Kafka's `auto.leader.rebalance.enable`), and away from a node that is being drained. Each node moves what it leads itself.

import type { NodeId } from '../base/brand.ts'
import type { MetadataView } from '../controller/controller.ts'
import { METADATA_LOG_ID } from '../controller/metadata-image.ts'
import type { Logger, Timer, Timers } from '../env/env.ts'
import type { LogHost, ReplicatedLog } from '../replicated/replicated-log.ts'

/** While it is being drained. */
const DRAIN_CHECK_MS = 1_000
const AT_ONCE_MAX = 4

export interface LeaderBalanceOptions {
  readonly env: { readonly timers: Timers; readonly log: Logger }
  readonly host: LogHost
  readonly metadata: Pick<MetadataView, 'image' | 'brokerConfigs' | 'onChange'>
}

export class LeaderBalance {
  readonly #options: LeaderBalanceOptions
  #stopListening: (() => void) | undefined
  #timer: Timer | undefined
  #checking = false
  #closed = false

  constructor(options: LeaderBalanceOptions) {
    this.#options = options
  }

  start(): void {
    this.#stopListening = this.#options.metadata.onChange(({ drainingChanged }) => {
      if (drainingChanged) this.#checkAfter(0)
    })
    this.#checkAfter(this.#intervalMs)
  }

  close(): void {
    this.#closed = true
    this.#stopListening?.()
    this.#timer?.cancel()
  }

  get #intervalMs(): number {
    const { metadata, host } = this.#options
    if (metadata.image.draining.has(host.nodeId)) return DRAIN_CHECK_MS
    return metadata.brokerConfigs()['leader.imbalance.check.interval.seconds'] * 1000
  }

  #checkAfter(ms: number): void {
    if (this.#closed || this.#checking) return
    this.#timer?.cancel()
    this.#timer = this.#options.env.timers.after(ms, () => {
      this.#checking = true
      void this.#check().then(() => {
        this.#checking = false
        this.#checkAfter(this.#intervalMs)
      })
    })
  }

  async #check(): Promise<void> {
    const { host, env } = this.#options
    const logs = [...host.logs()].values()
    let moved = 0
    const moveEach = async (): Promise<void> => {
      for (const log of logs) if (!this.#closed && (await this.#move(log))) moved += 1
    }
    await Promise.all(Array.from({ length: AT_ONCE_MAX }, moveEach))
    if (moved > 0) env.log.info('leaderships moved to other nodes', { count: moved })
  }

  async #move(log: ReplicatedLog): Promise<boolean> {
    const { role } = log
    if (log.voters.length === 1 || role.kind !== 'leader' || !role.established) return false
    for (const node of this.#targets(log)) {
      const outcome = await this.#options.host.transferLeadership(log.id, node)
      if (outcome === 'done') return true
      if (outcome !== 'target-unfit') return false
    }
    return false
  }

  /** Who should lead instead of this node, in order; none: it may stay. */
  #targets(log: ReplicatedLog): readonly NodeId[] {
    const { host, metadata } = this.#options
    const { draining } = metadata.image
    const able = (node: NodeId): boolean =>
      node !== host.nodeId && host.isFit(node) && !draining.has(node)
    const inSync = host.inSync(log.id, log.voters)
    if (draining.has(host.nodeId)) return inSync.filter(able)
    if (log.id === METADATA_LOG_ID) return []
    if (!metadata.brokerConfigs()['auto.leader.rebalance.enable']) return []
    const preferred = log.voters[0]
    if (preferred === host.nodeId) return []
    return inSync.filter((node) => node === preferred && able(node))
  }
}
