// Incremental fetch sessions (KIP-227): what a consumer asked for before and was told before, so that it repeats only what
// changes. Rules from Kafka's `FetchSession.scala`. The slots are bounded; a client that gets none works without.

import type { Clock, Random } from '../env/env.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { RequestOf } from '../protocol/message.ts'
import type { fetch } from '../protocol/messages/fetch.ts'
import { ZERO_UUID } from '../protocol/schema.ts'

/** A session unused for this long gives way to a new one (Kafka's `min.incremental.fetch.session.eviction.ms`). */
const EVICTION_MS = 120_000
const EPOCH_MAX = 0x7fffffff
const NO_SESSION = 0
const INITIAL_EPOCH = 0
const FINAL_EPOCH = -1

/** One partition of a fetch. The name is empty from v13 on, the id is zero before. */
export interface FetchTarget {
  readonly topic: string
  readonly topicId: string
  readonly index: number
  fetchOffset: number
  maxBytes: number
  currentLeaderEpoch: number
  lastFetchedEpoch: number
  /** As last told to the client of a session; -1 when it is to be told again. */
  toldHighWatermark: number
  toldLogStart: number
}

/** What decides whether an incremental response names a partition. */
export interface Told {
  readonly errorCode: number
  readonly highWatermark: number
  readonly logStart: number
  readonly recordBytes: number
  readonly diverging: boolean
}

interface Session {
  readonly id: number
  readonly usesTopicIds: boolean
  /** The next that is expected. */
  epoch: number
  lastUsedMs: number
  /** In the order in which they are read: one that gave records goes to the end, so that all get their turn. */
  readonly targets: Map<string, FetchTarget>
}

export type FetchContext =
  | { readonly kind: 'error'; readonly error: ErrorCode }
  | { readonly kind: 'sessionless'; readonly targets: readonly FetchTarget[] }
  /** A session begins with the response, if there is a slot. */
  | {
      readonly kind: 'full'
      readonly targets: readonly FetchTarget[]
      readonly usesTopicIds: boolean
    }
  | {
      readonly kind: 'incremental'
      readonly targets: readonly FetchTarget[]
      readonly session: Session
      readonly epoch: number
    }

export class FetchSessions {
  readonly #clock: Clock
  readonly #random: Random
  readonly #slotsMax: number
  /** Least recently used first. */
  readonly #sessions = new Map<number, Session>()

  constructor(options: {
    readonly clock: Clock
    readonly random: Random
    readonly slotsMax: number
  }) {
    this.#clock = options.clock
    this.#random = options.random
    this.#slotsMax = options.slotsMax
  }

  get size(): number {
    return this.#sessions.size
  }

  /** What the request asks for, with what its session adds. */
  begin(request: RequestOf<typeof fetch>, version: number): FetchContext {
    const usesTopicIds = version >= 13
    const { sessionId, sessionEpoch } = request
    if (sessionEpoch === INITIAL_EPOCH || sessionEpoch === FINAL_EPOCH) {
      if (sessionId !== NO_SESSION) this.#sessions.delete(sessionId)
      const targets = targetsOf(request)
      return sessionEpoch === FINAL_EPOCH
        ? { kind: 'sessionless', targets }
        : { kind: 'full', targets, usesTopicIds }
    }
    const session = this.#sessions.get(sessionId)
    if (session === undefined) return failed(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
    if (session.epoch !== sessionEpoch) return failed(ErrorCode.INVALID_FETCH_SESSION_EPOCH)
    if (session.usesTopicIds !== usesTopicIds) return failed(ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR)
    update(session, request)
    if (session.targets.size === 0) {
      this.#sessions.delete(sessionId)
      return { kind: 'sessionless', targets: [] }
    }
    session.epoch = session.epoch === EPOCH_MAX ? 1 : session.epoch + 1
    this.#touch(session)
    return {
      kind: 'incremental',
      session,
      epoch: session.epoch,
      targets: [...session.targets.values()],
    }
  }

  /** Begins the session of a full fetch; 0 where there is no slot for it. */
  create(context: FetchContext & { readonly kind: 'full' }, told: (i: number) => Told): number {
    if (context.targets.length === 0 || !this.#makeRoom()) return NO_SESSION
    const targets = new Map<string, FetchTarget>()
    context.targets.forEach((target, i) => {
      remember(target, told(i))
      targets.set(keyOf(target), target)
    })
    const session: Session = {
      id: this.#freeId(),
      usesTopicIds: context.usesTopicIds,
      epoch: INITIAL_EPOCH + 1,
      lastUsedMs: this.#clock.monotonicMs(),
      targets,
    }
    this.#sessions.set(session.id, session)
    return session.id
  }

  /** False when another request of the session came in between, so that this one's answer is void. */
  isCurrent(context: FetchContext & { readonly kind: 'incremental' }): boolean {
    const { session, epoch } = context
    return session.epoch === epoch
  }

  /** Whether the client must be told of the partition, which is then remembered. */
  mustTell(
    context: FetchContext & { readonly kind: 'incremental' },
    target: FetchTarget,
    told: Told,
  ): boolean {
    const changed =
      told.recordBytes > 0 ||
      told.errorCode !== ErrorCode.NONE ||
      told.diverging ||
      told.highWatermark !== target.toldHighWatermark ||
      told.logStart !== target.toldLogStart
    if (!changed) return false
    remember(target, told)
    if (told.recordBytes > 0) {
      const { targets } = context.session
      const key = keyOf(target)
      if (targets.get(key) === target) {
        targets.delete(key)
        targets.set(key, target)
      }
    }
    return true
  }

  #touch(session: Session): void {
    session.lastUsedMs = this.#clock.monotonicMs()
    this.#sessions.delete(session.id)
    this.#sessions.set(session.id, session)
  }

  #makeRoom(): boolean {
    if (this.#sessions.size < this.#slotsMax) return true
    for (const oldest of this.#sessions.values()) {
      if (this.#clock.monotonicMs() - oldest.lastUsedMs <= EVICTION_MS) return false
      this.#sessions.delete(oldest.id)
      return true
    }
    return false
  }

  #freeId(): number {
    for (;;) {
      const id = 1 + this.#random.below(EPOCH_MAX - 1)
      if (!this.#sessions.has(id)) return id
    }
  }
}

function failed(error: ErrorCode): FetchContext {
  return { kind: 'error', error }
}

function keyOf(target: {
  readonly topic: string
  readonly topicId: string
  readonly index: number
}) {
  const { topic, topicId, index } = target
  return `${topicId === ZERO_UUID ? topic : topicId}/${index}`
}

/** An error makes the client be told again once it is over. */
function remember(target: FetchTarget, told: Told): void {
  target.toldHighWatermark = told.errorCode === ErrorCode.NONE ? told.highWatermark : -1
  target.toldLogStart = told.logStart
}

function targetsOf(request: RequestOf<typeof fetch>): FetchTarget[] {
  const targets: FetchTarget[] = []
  for (const { topic, topicId, partitions } of request.topics) {
    for (const asked of partitions) {
      targets.push({
        topic,
        topicId,
        index: asked.partition,
        fetchOffset: asked.fetchOffset,
        maxBytes: asked.partitionMaxBytes,
        currentLeaderEpoch: asked.currentLeaderEpoch,
        lastFetchedEpoch: asked.lastFetchedEpoch,
        toldHighWatermark: -1,
        toldLogStart: -1,
      })
    }
  }
  return targets
}

function update(session: Session, request: RequestOf<typeof fetch>): void {
  for (const target of targetsOf(request)) {
    const key = keyOf(target)
    const known = session.targets.get(key)
    if (known === undefined) {
      session.targets.set(key, target)
      continue
    }
    known.fetchOffset = target.fetchOffset
    known.maxBytes = target.maxBytes
    known.currentLeaderEpoch = target.currentLeaderEpoch
    known.lastFetchedEpoch = target.lastFetchedEpoch
  }
  for (const { topic, topicId, partitions } of request.forgottenTopicsData) {
    for (const index of partitions) session.targets.delete(keyOf({ topic, topicId, index }))
  }
}
