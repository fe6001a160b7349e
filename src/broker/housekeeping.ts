// What a broker does now and then: deletes what is past retention, compacts internal topics, forgets producers that are gone,
// and keeps the state of the others for the next start.

import type { Timer } from '../env/env.ts'
import type { Services } from './services.ts'

/** Kafka's `producer.id.expiration.check.interval.ms`. */
const PRODUCER_CHECK_MS = 600_000
const SNAPSHOT_CHECK_MS = 30_000
/** Kafka's `log.cleaner.backoff.ms`. */
const COMPACTION_CHECK_MS = 15_000
/** After each megabyte that compaction reads: others use the disk as well. */
const COMPACTION_PAUSE_MS = 20
const TIMER_MS_MAX = 0x7fffffff

export class Housekeeping {
  readonly #services: Pick<Services, 'env' | 'config' | 'partitions'>
  readonly #timers = new Set<Timer>()
  #closed = false

  constructor(services: Pick<Services, 'env' | 'config' | 'partitions'>) {
    this.#services = services
  }

  start(): void {
    const { config } = this.#services
    this.#every(config['log.retention.check.interval.ms'], () => this.#applyRetention())
    this.#every(PRODUCER_CHECK_MS, () => this.#expireProducers())
    this.#every(SNAPSHOT_CHECK_MS, () => this.#saveSnapshots())
    this.#every(COMPACTION_CHECK_MS, () => this.#compact())
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

  /** One log at a time. */
  async #compact(): Promise<void> {
    for (const partition of [...this.#services.partitions.all()]) {
      if (this.#closed) return
      await partition.compact(() => this.#pause(COMPACTION_PAUSE_MS))
    }
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
