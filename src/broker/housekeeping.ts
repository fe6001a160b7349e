// What a broker does now and then: deletes what is past retention, compacts what is to be compacted, forgets producers that are gone,
// and keeps the state of the others for the next start.

import type { BrokerConfigs } from '../base/config/broker-configs.ts'
import type { Env, Timer } from '../env/env.ts'
import type { Partition } from '../partition/partition.ts'

/** Kafka's `producer.id.expiration.check.interval.ms`. */
const PRODUCER_CHECK_MS = 600_000
const SNAPSHOT_CHECK_MS = 30_000
/** However small `log.cleaner.backoff.ms` is. */
const COMPACTION_CHECK_MS_MIN = 10
/** After each piece that compaction reads: requests and heartbeats share the event loop with it. */
const COMPACTION_PAUSE_MS = 5
const TIMER_MS_MAX = 0x7fffffff

/** What is done to a partition. */
type Kept = Pick<Partition, 'applyRetention' | 'compact'> & {
  readonly producers: Pick<Partition['producers'], 'expire' | 'saveWhereResting'>
}

interface HousekeepingServices {
  readonly env: Pick<Env, 'timers' | 'log'>
  readonly config: Pick<
    BrokerConfigs,
    'log.cleaner.backoff.ms' | 'log.retention.check.interval.ms' | 'producer.id.expiration.ms'
  >
  readonly partitions: { all(): Iterable<Kept> }
}

export class Housekeeping {
  readonly #services: HousekeepingServices
  readonly #timers = new Set<Timer>()
  #closed = false

  constructor(services: HousekeepingServices) {
    this.#services = services
  }

  start(): void {
    const { config } = this.#services
    this.#every(config['log.retention.check.interval.ms'], () => this.#applyRetention())
    this.#every(PRODUCER_CHECK_MS, () => this.#expireProducers())
    this.#every(SNAPSHOT_CHECK_MS, () => this.#saveSnapshots())
    const compactionMs = Math.max(config['log.cleaner.backoff.ms'], COMPACTION_CHECK_MS_MIN)
    this.#every(compactionMs, () => this.#compact())
  }

  close(): void {
    this.#closed = true
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }

  /** The next run is scheduled when the last has ended. */
  #every(intervalMs: number, run: () => Promise<void>): void {
    const timer = this.#services.env.timers.after(Math.min(intervalMs, TIMER_MS_MAX), () => {
      this.#timers.delete(timer)
      run()
        .catch((error: unknown) => {
          if (this.#closed) return
          this.#services.env.log.error('housekeeping failed and will be tried again', {
            error: error instanceof Error ? (error.stack ?? error.message) : String(error),
          })
        })
        .finally(() => {
          if (!this.#closed) this.#every(intervalMs, run)
        })
    })
    this.#timers.add(timer)
  }

  async #applyRetention(): Promise<void> {
    for (const partition of [...this.#services.partitions.all()]) {
      if (this.#closed) return
      await partition.applyRetention()
    }
  }

  /** One log at a time; one that can't be compacted does not keep the others from it. */
  async #compact(): Promise<void> {
    const failures: unknown[] = []
    for (const partition of [...this.#services.partitions.all()]) {
      if (this.#closed) return
      try {
        await partition.compact(() => this.#pause(COMPACTION_PAUSE_MS))
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => void this.#services.env.timers.after(ms, resolve))
    if (this.#closed) throw new Error('the broker was closed')
  }

  #expireProducers(): Promise<void> {
    const expirationMs = this.#services.config['producer.id.expiration.ms']
    for (const partition of this.#services.partitions.all())
      partition.producers.expire(expirationMs)
    return Promise.resolve()
  }

  #saveSnapshots(): Promise<void> {
    for (const partition of this.#services.partitions.all()) partition.producers.saveWhereResting()
    return Promise.resolve()
  }
}
