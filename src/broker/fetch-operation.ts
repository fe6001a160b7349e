// One fetch from its first read to its answer: reads the partitions in order within the byte limits, and, where that gives
// less than the client asked for, waits for progress or the client's patience. Rules from Kafka's `ReplicaManager.fetchMessages`
// and `DelayedFetch`.
//
//   read all → enough? → answer
//      ↑         no → wait: a commit in one of the partitions re-reads that one; enough, an error or the deadline → read all

import { asOffset } from '../base/brand.ts'
import type { Timer } from '../env/env.ts'
import type { FetchAnswer, FetchRequest } from '../partition/fetch.ts'
import type { Partition, ProgressListener } from '../partition/partition.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { Deadline } from './deadlines.ts'
import type { FetchTarget } from './fetch-sessions.ts'
import type { Services } from './services.ts'

export interface FetchLimits {
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
}

/** What was found for one target, in the order of the targets. */
export interface FetchFound {
  /** Undefined where this node has no such partition; the answer then says why. */
  readonly partition: Partition | undefined
  readonly answer: FetchAnswer
}

export interface FetchOperationOptions {
  readonly services: Pick<Services, 'env' | 'longPolls'>
  readonly targets: readonly FetchTarget[]
  readonly limits: FetchLimits
  /** The partition of a target, or the error that there is none. */
  readonly find: (target: FetchTarget) => Partition | ErrorCode
}

export class FetchOperation implements ProgressListener {
  readonly #options: FetchOperationOptions
  readonly #waitingIn = new Map<Partition, number>()
  readonly #dirty = new Set<Partition>()
  /** Readable bytes per target while waiting. */
  #sizes: number[] = []
  #deadline: Deadline | undefined
  #wakeUp: Timer | undefined
  #settle: ((found: FetchFound[] | Promise<FetchFound[]>) => void) | undefined

  constructor(options: FetchOperationOptions) {
    this.#options = options
  }

  /** Synchronous where everything is in memory and enough. */
  run(): FetchFound[] | Promise<FetchFound[]> {
    const found = this.#readAll()
    if (found instanceof Promise) return found.then((settled) => this.#answerOrWait(settled))
    return this.#answerOrWait(found)
  }

  /** Stops waiting; a promise that `run` returned then stays unsettled. */
  cancel(): void {
    if (this.#deadline !== undefined) this.#options.services.longPolls.cancel(this.#deadline)
    this.#wakeUp?.cancel()
    for (const partition of this.#waitingIn.keys()) partition.removeListener(this)
    this.#waitingIn.clear()
    this.#dirty.clear()
  }

  onProgress(partition: Partition): void {
    this.#dirty.add(partition)
    // One look for all the partitions that a commit group moves.
    this.#wakeUp ??= this.#options.services.env.timers.soon(() => this.#look())
  }

  #answerOrWait(found: FetchFound[]): FetchFound[] | Promise<FetchFound[]> {
    const { limits } = this.#options
    let bytes = 0
    for (const { answer } of found) {
      if (isUrgent(answer)) return found
      bytes += answer.records?.bytes ?? 0
    }
    if (found.length === 0 || limits.maxWaitMs <= 0 || bytes >= limits.minBytes) return found
    return new Promise((resolve) => {
      this.#settle = resolve
      this.#wait(found)
    })
  }

  #wait(found: readonly FetchFound[]): void {
    const { longPolls } = this.#options.services
    this.#deadline = longPolls.after(this.#options.limits.maxWaitMs, () => this.#finish())
    this.#sizes = found.map(({ answer }) => answer.records?.bytes ?? 0)
    found.forEach(({ partition, answer }, i) => {
      if (partition === undefined) return
      this.#waitingIn.set(partition, i)
      partition.addListener(this)
      // It may have moved while other partitions were read from disk.
      if (partition.log.highWatermark !== answer.highWatermark) this.onProgress(partition)
    })
  }

  #look(): void {
    this.#wakeUp = undefined
    let total = 0
    for (const partition of this.#dirty) {
      const i = this.#waitingIn.get(partition)
      const target = i === undefined ? undefined : this.#options.targets[i]
      if (i === undefined || target === undefined) continue
      const answer = partition.fetch(
        readOf(target, { maxBytes: target.maxBytes, minOneBatch: true }),
      )
      // Not in memory: whatever it is, it is more than there was.
      if (answer instanceof Promise) {
        // The answer reads it again, with its own byte limits, and there a failure is told.
        answer.catch(() => undefined)
        return this.#finish()
      }
      if (isUrgent(answer)) return this.#finish()
      this.#sizes[i] = answer.records?.bytes ?? 0
    }
    this.#dirty.clear()
    for (const size of this.#sizes) total += size
    if (total >= this.#options.limits.minBytes) this.#finish()
  }

  #finish(): void {
    this.cancel()
    this.#settle?.(this.#readAll())
  }

  #readAll(): FetchFound[] | Promise<FetchFound[]> {
    return this.#readFrom(0, [], this.#options.limits.maxBytes)
  }

  /** Goes on without waiting for as long as the reads do. */
  #readFrom(
    from: number,
    found: FetchFound[],
    bytesLeft: number,
  ): FetchFound[] | Promise<FetchFound[]> {
    const { targets } = this.#options
    let left = bytesLeft
    for (let i = from; i < targets.length; i++) {
      const target = targets[i]!
      const partition = this.#options.find(target)
      if (typeof partition === 'number') {
        found.push({ partition: undefined, answer: absent(partition) })
        continue
      }
      const maxBytes = Math.max(0, Math.min(target.maxBytes, left))
      // KIP-74: the first records are returned whole even over the limits, so that a large batch stops nobody.
      const minOneBatch = left === this.#options.limits.maxBytes
      const answer = partition.fetch(readOf(target, { maxBytes, minOneBatch }))
      if (answer instanceof Promise) {
        return answer.then((settled) => {
          found.push({ partition, answer: settled })
          return this.#readFrom(i + 1, found, left - (settled.records?.bytes ?? 0))
        })
      }
      found.push({ partition, answer })
      left -= answer.records?.bytes ?? 0
    }
    return found
  }
}

function readOf(
  target: FetchTarget,
  bounds: Pick<FetchRequest, 'maxBytes' | 'minOneBatch'>,
): FetchRequest {
  return {
    fetchOffset: asOffset(target.fetchOffset),
    currentLeaderEpoch: target.currentLeaderEpoch,
    lastFetchedEpoch: target.lastFetchedEpoch,
    ...bounds,
  }
}

function isUrgent(answer: FetchAnswer): boolean {
  return answer.error !== ErrorCode.NONE || answer.diverging !== undefined
}

function absent(error: ErrorCode): FetchAnswer {
  const none = asOffset(-1)
  return {
    error,
    highWatermark: none,
    lastStableOffset: none,
    logStart: none,
    records: undefined,
    diverging: undefined,
  }
}
