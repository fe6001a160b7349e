// Fetch sessions: slots, eviction, epochs that wrap, and whose turn it is.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { RequestOf } from '../protocol/message.ts'
import type { fetch } from '../protocol/messages/fetch.ts'
import { ZERO_UUID } from '../protocol/schema.ts'
import { FetchSessions, type FetchContext, type Told } from './fetch-sessions.ts'

type Request = RequestOf<typeof fetch>

function sessionsWith(slotsMax: number) {
  const clock = { ms: 0, nowMs: () => clock.ms, monotonicMs: () => clock.ms }
  let next = 0
  const random = { float: () => 0, below: () => next++, bytes: () => new Uint8Array() }
  return { clock, sessions: new FetchSessions({ clock, random, slotsMax }) }
}

function request(changes: Partial<Request> = {}, indexes: readonly number[] = [0]): Request {
  return {
    clusterId: null,
    replicaId: -1,
    replicaState: { replicaId: -1, replicaEpoch: -1 },
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes: 1000,
    isolationLevel: 0,
    sessionId: 0,
    sessionEpoch: 0,
    topics: [
      {
        topic: 'topic',
        topicId: ZERO_UUID,
        partitions: indexes.map((partition) => ({
          partition,
          currentLeaderEpoch: -1,
          fetchOffset: 0,
          lastFetchedEpoch: -1,
          logStartOffset: -1,
          partitionMaxBytes: 100,
          replicaDirectoryId: ZERO_UUID,
          highWatermark: 0,
        })),
      },
    ],
    forgottenTopicsData: [],
    rackId: '',
    ...changes,
  }
}

const told = (changes: Partial<Told> = {}): Told => ({
  errorCode: 0,
  highWatermark: 5,
  logStart: 0,
  recordBytes: 0,
  diverging: false,
  ...changes,
})

function opened(sessions: FetchSessions, indexes: readonly number[] = [0]): number {
  const context = sessions.begin(request({}, indexes), 12)
  assert.ok(context.kind === 'full')
  return sessions.create(context, () => told())
}

function next(
  sessions: FetchSessions,
  sessionId: number,
  sessionEpoch: number,
): FetchContext & { kind: 'incremental' } {
  const context = sessions.begin(request({ sessionId, sessionEpoch, topics: [] }), 12)
  assert.ok(context.kind === 'incremental', context.kind)
  return context
}

test('without a free slot there is no session, until another is unused for long', () => {
  const { clock, sessions } = sessionsWith(2)
  const first = opened(sessions)
  clock.ms = 60_000
  const second = opened(sessions)
  assert.ok(first > 0 && second > 0 && first !== second)
  assert.equal(opened(sessions), 0)
  clock.ms = 119_000
  next(sessions, first, 1)
  clock.ms = 180_001
  assert.ok(opened(sessions) > 0)
  next(sessions, first, 2)
  const evicted = sessions.begin(request({ sessionId: second, sessionEpoch: 1 }), 12)
  assert.deepEqual(evicted, { kind: 'error', error: ErrorCode.FETCH_SESSION_ID_NOT_FOUND })
})

test('a session is closed by a full or a final request that names it', () => {
  const { sessions } = sessionsWith(5)
  for (const sessionEpoch of [0, -1]) {
    const sessionId = opened(sessions)
    sessions.begin(request({ sessionId, sessionEpoch }), 12)
    assert.equal(sessions.size, 0)
  }
})

test('a session goes by names or by ids, not by both', () => {
  const { sessions } = sessionsWith(5)
  const sessionId = opened(sessions)
  const mixed = sessions.begin(request({ sessionId, sessionEpoch: 1 }), 13)
  assert.deepEqual(mixed, { kind: 'error', error: ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR })
})

test('only what changed is told, an error until it is over, and who gave records goes last', () => {
  const { sessions } = sessionsWith(5)
  const sessionId = opened(sessions, [0, 1, 2])
  const first = next(sessions, sessionId, 1)
  const [a, b, c] = first.targets
  assert.ok(a !== undefined && b !== undefined && c !== undefined)
  assert.equal(sessions.mustTell(first, a, told({ recordBytes: 10 })), true)
  assert.equal(sessions.mustTell(first, b, told()), false)
  assert.equal(sessions.mustTell(first, c, told({ errorCode: 6, highWatermark: -1 })), true)
  const second = next(sessions, sessionId, 2)
  assert.deepEqual(
    second.targets.map(({ index }) => index),
    [1, 2, 0],
  )
  assert.equal(sessions.mustTell(second, c, told()), true)
  assert.equal(sessions.mustTell(second, a, told({ logStart: 1 })), true)
  assert.equal(sessions.mustTell(second, b, told({ highWatermark: 6 })), true)
  const third = next(sessions, sessionId, 3)
  assert.equal(sessions.isCurrent(second), false)
  assert.equal(sessions.isCurrent(third), true)
  assert.equal(sessions.mustTell(third, c, told()), false)
})

test('partitions are added, changed and forgotten', () => {
  const { sessions } = sessionsWith(5)
  const sessionId = opened(sessions, [0, 1])
  const { topics } = request({}, [1, 2])
  const moved = topics.map((topic) => ({
    ...topic,
    partitions: topic.partitions.map((partition) => ({ ...partition, fetchOffset: 9 })),
  }))
  const changed = sessions.begin(
    request({
      sessionId,
      sessionEpoch: 1,
      topics: moved,
      forgottenTopicsData: [{ topic: 'topic', topicId: ZERO_UUID, partitions: [0] }],
    }),
    12,
  )
  assert.ok(changed.kind === 'incremental')
  assert.deepEqual(
    changed.targets.map(({ index, fetchOffset }) => [index, fetchOffset]),
    [
      [1, 9],
      [2, 9],
    ],
  )
})

test('the epoch wraps to 1', () => {
  const { sessions } = sessionsWith(5)
  const sessionId = opened(sessions)
  const { session } = next(sessions, sessionId, 1)
  session.epoch = 0x7fffffff
  assert.equal(next(sessions, sessionId, 0x7fffffff).epoch, 1)
  assert.equal(next(sessions, sessionId, 1).epoch, 2)
})
