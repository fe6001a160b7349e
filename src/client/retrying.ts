// Trying again what failed for a passing reason, within a time.

import type { ErrorName } from '../protocol/error-codes.ts'
import { Backoff } from './client-env.ts'
import { isTransient, KafkaError, RequestError } from './client-error.ts'
import type { Cluster } from './cluster.ts'

export interface RetryLimits {
  readonly timeoutMs: number
  /** False for what must not be done twice: it is not tried again once it may have been done. */
  readonly repeatable?: boolean
  /** An error that is no passing one here, though it may be elsewhere. */
  readonly final?: ErrorName
}

/** Calls `attempt` until it succeeds, fails for good, or the time is over; then throws the last failure. */
export async function retrying<T>(
  cluster: Cluster,
  limits: RetryLimits,
  attempt: () => Promise<T>,
): Promise<T> {
  const { env } = cluster
  const deadlineMs = env.clock.monotonicMs() + limits.timeoutMs
  const backoff = new Backoff(env, { firstMs: 50, maxMs: 1000 })
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      const done = error instanceof RequestError && error.mayBeDone && limits.repeatable === false
      const final = error instanceof KafkaError && error.error === limits.final
      if (done || final || !isTransient(error)) throw error
      if (env.clock.monotonicMs() >= deadlineMs) throw error
      await backoff.wait()
    }
  }
}
