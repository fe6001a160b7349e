// Obtains producer ids for an idempotent producer, one at a time, for as long as it takes.

import { initProducerId } from '../protocol/messages/init-producer-id.ts'
import { Backoff } from './client-env.ts'
import { isTransient, throwIfError } from './client-error.ts'
import type { Cluster } from './cluster.ts'
import type { ProducerIdentity } from './produce-batch.ts'
import type { ProducerOptions } from './producer-options.ts'

/** Not used without a transactional id, but the request has it. */
const TRANSACTION_TIMEOUT_MS = 60_000

export interface IdentityEvents {
  /** An id was obtained, or it is time to ask again. */
  changed(): void
  /** The cluster gives none, and won't. */
  refused(error: unknown): void
}

export class IdentitySource {
  readonly #cluster: Cluster
  readonly #events: IdentityEvents
  readonly #backoff: Backoff
  #current: ProducerIdentity | undefined
  #asking = false

  constructor(cluster: Cluster, options: ProducerOptions, events: IdentityEvents) {
    this.#cluster = cluster
    this.#events = events
    this.#backoff = new Backoff(cluster.env, {
      firstMs: options.retryBackoffMs,
      maxMs: options.retryBackoffMaxMs,
    })
  }

  /** The identity to stamp batches with; undefined while there is none, which is then asked for. */
  current(): ProducerIdentity | undefined {
    if (this.#current === undefined) this.#obtain()
    return this.#current
  }

  /** Gives the identity up, if it is the current one: its sequence has a hole, or the broker knows better. */
  renounce(identity: ProducerIdentity | undefined): void {
    if (identity !== undefined && identity === this.#current) this.#current = undefined
  }

  #obtain(): void {
    if (this.#asking) return
    this.#asking = true
    this.#ask().then(
      (identity) => this.#take(identity),
      (error: unknown) => {
        if (!isTransient(error)) this.#events.refused(error)
        this.#cluster.env.timers.after(this.#backoff.nextMs(), () => this.#take(undefined))
      },
    )
  }

  #take(identity: ProducerIdentity | undefined): void {
    this.#asking = false
    this.#current = identity
    this.#events.changed()
  }

  async #ask(): Promise<ProducerIdentity> {
    const connection = await this.#cluster.anyConnection()
    const answer = await connection.request(initProducerId, () => ({
      transactionalId: null,
      transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
    }))
    throwIfError(answer.errorCode, 'InitProducerId')
    this.#backoff.reset()
    return { producerId: answer.producerId, producerEpoch: answer.producerEpoch }
  }
}
