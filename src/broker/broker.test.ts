// The broker over loopback with raw frames: produce and fetch in every version, order, long polls, sessions, offsets.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asOffset } from '../base/brand.ts'
import { APIS } from '../protocol/apis.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { ZERO_UUID } from '../protocol/schema.ts'
import {
  batchOf,
  fetchRequest,
  fetchValues,
  produce,
  produceRequest,
  rigFor,
  valuesIn,
} from './testing/requests.ts'

test('ApiVersions lists what is served; an unknown version is answered in version 0', async (t) => {
  const rig = await rigFor(t)
  const client = await rig.connect()
  const software = { clientSoftwareName: 'test', clientSoftwareVersion: '1.0' }
  for (const version of [0, 1, 2, 3, 4]) {
    const answer = await client.send(APIS.ApiVersions, version, software)
    assert.equal(answer.errorCode, ErrorCode.NONE)
    assert.equal(answer.apiKeys.length, Object.keys(APIS).length)
    const produceApi = answer.apiKeys.find(({ apiKey }) => apiKey === 0)
    assert.deepEqual(produceApi, { apiKey: 0, minVersion: 0, maxVersion: 13 })
    const fetchApi = answer.apiKeys.find(({ apiKey }) => apiKey === 1)
    assert.deepEqual(fetchApi, { apiKey: 1, minVersion: 4, maxVersion: 18 })
  }
  const bad = { clientSoftwareName: '-', clientSoftwareVersion: '1.0' }
  const refused = await client.send(APIS.ApiVersions, 3, bad)
  assert.equal(refused.errorCode, ErrorCode.INVALID_REQUEST)
  // Key 18, version 99, correlation id 7, no client id, no tagged fields, and a body that nobody can read.
  const unknown = Buffer.from('0012006300000007ffff00dead', 'hex')
  client.write(Buffer.concat([Buffer.from([0, 0, 0, unknown.length]), unknown]))
  const frame = Buffer.from(await client.nextFrame(7))
  // Correlation id, error 35, one api: 18 from 0 to 4.
  assert.equal(frame.toString('hex'), '00000007' + '0023' + '00000001' + '001200000004')
})

test('what is produced in any version is fetched in any version', async (t) => {
  const rig = await rigFor(t)
  const client = await rig.connect()
  const topicId = await rig.createTopic('all')
  const expected: string[] = []
  for (let version = 3; version <= 13; version++) {
    const options = version >= 13 ? { version, topicId } : { version }
    const answer = await produce(client, 'all', batchOf([`v${version}`]), options)
    assert.equal(answer.errorCode, ErrorCode.NONE, `version ${version}`)
    assert.equal(answer.baseOffset, expected.length)
    expected.push(`${expected.length}:v${version}`)
  }
  for (let version = 4; version <= 18; version++) {
    const options = version >= 13 ? { version, topicId } : { version }
    assert.deepEqual(await fetchValues(client, 'all', 0, options), expected, `version ${version}`)
  }
  const committed = { version: 11, isolationLevel: 1 }
  assert.deepEqual(await fetchValues(client, 'all', 9, committed), expected.slice(9))
})

test('each partition has its own error', async (t) => {
  const rig = await rigFor(t)
  const client = await rig.connect()
  await rig.createTopic('some')
  const missing = await produce(client, 'none', batchOf(['a']))
  assert.equal(missing.errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  assert.equal(missing.baseOffset, -1)
  const noPartition = await produce(client, 'some', batchOf(['a']), { index: 4 })
  assert.equal(noPartition.errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  const topicId = 'AAAAAAAAAAAAAAAAAAAAZQ'
  const noId = await produce(client, '', batchOf(['a']), { version: 13, topicId })
  assert.equal(noId.errorCode, ErrorCode.UNKNOWN_TOPIC_ID)
  const damaged = batchOf(['a'])
  damaged[30]! ^= 1
  const corrupt = await produce(client, 'some', damaged)
  assert.equal(corrupt.errorCode, ErrorCode.CORRUPT_MESSAGE)
  const acks = await produce(client, 'some', batchOf(['a']), { acks: 2 })
  assert.equal(acks.errorCode, ErrorCode.INVALID_REQUIRED_ACKS)
  const fetched = await client.send(APIS.Fetch, 11, fetchRequest('none', 0, { maxWaitMs: 5000 }))
  const [answer] = fetched.responses[0]?.partitions ?? []
  assert.equal(answer?.errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  const past = await client.send(APIS.Fetch, 11, fetchRequest('some', 5, { maxWaitMs: 5000 }))
  assert.equal(past.responses[0]?.partitions[0]?.errorCode, ErrorCode.OFFSET_OUT_OF_RANGE)
})

test('responses leave in request order, and requests do not wait for commits', async (t) => {
  const rig = await rigFor(t)
  const client = await rig.connect()
  await rig.createTopic('slow')
  await rig.createTopic('fast')
  const slow = rig.broker.partitions.get('slow', 0)!
  const log = rig.host.get(slow.log.id)!
  log.autoCommit = false
  const order: string[] = []
  const first = produce(client, 'slow', batchOf(['a'])).then(() => order.push('first'))
  const second = produce(client, 'slow', batchOf(['b'])).then(() => order.push('second'))
  const third = produce(client, 'fast', batchOf(['c'])).then(() => order.push('third'))
  while (log.logEnd.offset < 2) await new Promise((resolve) => setImmediate(resolve))
  const fast = rig.broker.partitions.get('fast', 0)!
  while (fast.log.highWatermark < 1) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(order, [])
  log.commit()
  await Promise.all([first, second, third])
  assert.deepEqual(order, ['first', 'second', 'third'])
})

test('a commit that does not come in time is answered as timed out', async (t) => {
  const rig = await rigFor(t)
  const client = await rig.connect()
  await rig.createTopic('slow')
  const log = rig.host.get(rig.broker.partitions.get('slow', 0)!.log.id)!
  log.autoCommit = false
  const answer = await produce(client, 'slow', batchOf(['a']), { timeoutMs: 30 })
  assert.equal(answer.errorCode, ErrorCode.REQUEST_TIMED_OUT)
  assert.equal(rig.broker.stats().waiting, 0)
})

test('acks=0 has no response; an error closes the connection', async (t) => {
  const rig = await rigFor(t)
  const client = await rig.connect()
  await rig.createTopic('quiet')
  client.post(APIS.Produce, 9, produceRequest('quiet', batchOf(['a']), { acks: 0 }))
  client.post(APIS.Produce, 9, produceRequest('quiet', batchOf(['b']), { acks: 0 }))
  const answer = await produce(client, 'quiet', batchOf(['c']))
  assert.equal(answer.baseOffset, 2)
  client.post(APIS.Produce, 9, produceRequest('none', batchOf(['a']), { acks: 0 }))
  await client.closed
})

test('a duplicate of an idempotent producer is answered with the original offset', async (t) => {
  const rig = await rigFor(t)
  const client = await rig.connect()
  await rig.createTopic('once')
  const given = await client.send(APIS.InitProducerId, 4, {
    transactionalId: null,
    transactionTimeoutMs: 0,
  })
  const other = await client.send(APIS.InitProducerId, 0, {
    transactionalId: null,
    transactionTimeoutMs: 0,
  })
  assert.equal(given.errorCode, ErrorCode.NONE)
  assert.notEqual(given.producerId, other.producerId)
  const { producerId, producerEpoch } = given
  const batch = () =>
    batchOf(['a', 'b'], { producer: { producerId, producerEpoch, baseSequence: 0 } })
  assert.equal((await produce(client, 'once', batch())).baseOffset, 0)
  const again = await produce(client, 'once', batch())
  assert.deepEqual([again.errorCode, again.baseOffset], [ErrorCode.NONE, 0])
  assert.deepEqual(await fetchValues(client, 'once', 0), ['0:a', '1:b'])
  const transactional = await client.send(APIS.InitProducerId, 4, {
    transactionalId: 't',
    transactionTimeoutMs: 1000,
  })
  assert.equal(transactional.errorCode, ErrorCode.INVALID_REQUEST)
})

test('a fetch waits for data, for as long as it may', async (t) => {
  const rig = await rigFor(t)
  const reader = await rig.connect()
  const writer = await rig.connect()
  await rig.createTopic('wait', { partitions: 3 })
  const partitions = [0, 1, 2]
  const waiting = fetchValues(reader, 'wait', 0, { partitions, maxWaitMs: 10_000 })
  while (rig.broker.stats().waiting === 0) await new Promise((resolve) => setImmediate(resolve))
  await produce(writer, 'wait', batchOf(['a']), { index: 2 })
  assert.deepEqual(await waiting, ['0:a'])
  const started = performance.now()
  const none = await fetchValues(reader, 'wait', 1, { partitions: [2], maxWaitMs: 60 })
  assert.deepEqual(none, [])
  assert.ok(performance.now() - started >= 59)
  assert.equal(rig.broker.stats().waiting, 0)
})

test('a fetch waits for minBytes over all its partitions', async (t) => {
  const rig = await rigFor(t)
  const reader = await rig.connect()
  const writer = await rig.connect()
  await rig.createTopic('bytes', { partitions: 2 })
  const size = batchOf(['a']).length
  const options = { partitions: [0, 1], maxWaitMs: 10_000, minBytes: 2 * size + 1 }
  let answered = false
  const waiting = fetchValues(reader, 'bytes', 0, options).finally(() => (answered = true))
  await produce(writer, 'bytes', batchOf(['a']), { index: 0 })
  await produce(writer, 'bytes', batchOf(['b']), { index: 1 })
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(answered, false)
  await produce(writer, 'bytes', batchOf(['c']), { index: 1 })
  assert.deepEqual(await waiting, ['0:a', '0:b', '1:c'])
})

test('a waiting fetch of a connection that is gone waits no longer', async (t) => {
  const rig = await rigFor(t)
  const reader = await rig.connect()
  await rig.createTopic('gone')
  const waiting = fetchValues(reader, 'gone', 0, { maxWaitMs: 60_000 })
  while (rig.broker.stats().waiting === 0) await new Promise((resolve) => setImmediate(resolve))
  reader.close()
  await assert.rejects(waiting)
  while (rig.broker.stats().waiting > 0) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(rig.broker.stats().connections, 0)
  assert.equal(rig.broker.stats().requestBytes, 0)
})

test('byte limits: the first batch always, then as many as fit', async (t) => {
  const rig = await rigFor(t)
  const client = await rig.connect()
  await rig.createTopic('limit', { partitions: 2 })
  for (const index of [0, 1]) {
    await produce(client, 'limit', batchOf(['a']), { index })
    await produce(client, 'limit', batchOf(['b']), { index })
  }
  const size = batchOf(['a']).length
  const read = (maxBytes: number) =>
    fetchValues(client, 'limit', 0, { partitions: [0, 1], maxBytes })
  assert.deepEqual(await read(1), ['0:a'])
  assert.deepEqual(await read(2 * size), ['0:a', '1:b'])
  assert.deepEqual(await read(3 * size), ['0:a', '1:b', '0:a'])
  assert.deepEqual(await read(4 * size), ['0:a', '1:b', '0:a', '1:b'])
})

test('incremental fetch sessions tell only what changed', async (t) => {
  const rig = await rigFor(t)
  const client = await rig.connect()
  await rig.createTopic('session', { partitions: 2 })
  await produce(client, 'session', batchOf(['a']), { index: 1 })
  const full = fetchRequest('session', 0, { partitions: [0, 1], sessionEpoch: 0 })
  const opened = await client.send(APIS.Fetch, 12, full)
  const { sessionId } = opened
  assert.ok(sessionId > 0)
  const next = (sessionEpoch: number, topics: (typeof full)['topics'] = []) =>
    client.send(APIS.Fetch, 12, { ...full, sessionId, sessionEpoch, topics })
  const advance = fetchRequest('session', 1, { partitions: [1] }).topics
  assert.deepEqual((await next(1, advance)).responses, [])
  await produce(client, 'session', batchOf(['b']), { index: 0 })
  const changed = await next(2)
  assert.equal(changed.sessionId, sessionId)
  assert.deepEqual(
    changed.responses.map(({ partitions }) => partitions.map((p) => p.partitionIndex)),
    [[0]],
  )
  assert.deepEqual(valuesIn(changed.responses[0]!.partitions[0]!.records), ['0:b'])
  assert.equal((await next(2)).errorCode, ErrorCode.INVALID_FETCH_SESSION_EPOCH)
  const stranger = { ...full, sessionId: sessionId ^ 1, sessionEpoch: 3 }
  const unknown = await client.send(APIS.Fetch, 12, stranger)
  assert.equal(unknown.errorCode, ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
  // Forgetting both partitions leaves nothing to fetch and ends the session.
  const emptied = await client.send(APIS.Fetch, 12, {
    ...full,
    sessionId,
    sessionEpoch: 3,
    topics: [],
    forgottenTopicsData: [{ topic: 'session', topicId: ZERO_UUID, partitions: [0, 1] }],
  })
  assert.deepEqual([emptied.errorCode, emptied.sessionId], [ErrorCode.NONE, 0])
  assert.equal(rig.broker.stats().fetchSessions, 0)
})

test('offsets by time and epoch, in every version', async (t) => {
  const rig = await rigFor(t)
  const client = await rig.connect()
  await rig.createTopic('offsets')
  await produce(client, 'offsets', batchOf(['a', 'b']))
  const list = async (version: number, timestamp: number) => {
    const answer = await client.send(APIS.ListOffsets, version, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name: 'offsets', partitions: [{ partitionIndex: 0, timestamp }] }],
    })
    const [partition] = answer.topics[0]?.partitions ?? []
    return [partition?.errorCode, partition?.offset]
  }
  for (let version = 1; version <= 11; version++) {
    assert.deepEqual(await list(version, -1), [0, 2])
    assert.deepEqual(await list(version, -2), [0, 0])
    assert.deepEqual(await list(version, 0), [0, 0])
  }
  assert.deepEqual(await list(6, -3), [ErrorCode.UNSUPPORTED_VERSION, -1])
  assert.deepEqual(await list(7, -3), [0, 0])
  const epochs = await client.send(APIS.OffsetForLeaderEpoch, 4, {
    replicaId: -1,
    topics: [{ topic: 'offsets', partitions: [{ partition: 0, leaderEpoch: 1 }] }],
  })
  assert.deepEqual(epochs.topics[0]?.partitions, [
    { errorCode: 0, partition: 0, leaderEpoch: 1, endOffset: 2 },
  ])
})

test('a client is sent to the leader when this node is not it', async (t) => {
  const rig = await rigFor(t)
  const client = await rig.connect()
  const topicId = await rig.createTopic('moved')
  const log = rig.host.get(rig.broker.partitions.get('moved', 0)!.log.id)!
  log.loseLeadership({ leader: rig.host.nodeId })
  const request = produceRequest('moved', batchOf(['a']))
  const produced = await client.send(APIS.Produce, 10, request)
  const [answer] = produced.responses[0]?.partitionResponses ?? []
  assert.equal(answer?.errorCode, ErrorCode.NOT_LEADER_OR_FOLLOWER)
  assert.deepEqual(answer?.currentLeader, { leaderId: 1, leaderEpoch: 2 })
  assert.equal(produced.nodeEndpoints[0]?.host, 'plaintext.example')
  const fetched = await client.send(APIS.Fetch, 16, fetchRequest('', 0, { topicId }))
  const [found] = fetched.responses[0]?.partitions ?? []
  assert.equal(found?.errorCode, ErrorCode.NOT_LEADER_OR_FOLLOWER)
  assert.deepEqual(found?.currentLeader, { leaderId: 1, leaderEpoch: 2 })
  assert.equal(fetched.nodeEndpoints[0]?.nodeId, 1)
})

test('pipelined batches of a producer wait for its state instead of being refused one by one', async (t) => {
  const rig = await rigFor(t)
  const client = await rig.connect()
  await rig.createTopic('loading')
  const batch = (sequence: number) =>
    batchOf([`${sequence}`], {
      producer: { producerId: 7, producerEpoch: 0, baseSequence: sequence },
    })
  await produce(client, 'loading', batch(0))
  const { log, producers } = rig.broker.partitions.get('loading', 0)!
  const double = rig.host.get(log.id)!
  // The state is rebuilt after a truncation, as after a start; the disk takes its time.
  let answerSnapshot = (): void => undefined
  const { snapshots } = double
  const found = await snapshots.survey()
  snapshots.survey = () => new Promise((resolve) => (answerSnapshot = () => resolve(found)))
  await produce(client, 'loading', batch(1))
  producers.onTruncated({ epoch: double.logEnd.epoch, offset: asOffset(1) })
  assert.equal(producers.inStep, false)
  const settled = producers.settled.bind(producers)
  const arrived = new Promise<void>((resolve) => {
    producers.settled = () => {
      resolve()
      return settled()
    }
  })
  const answers = [2, 3, 4].map((sequence) => produce(client, 'loading', batch(sequence)))
  await arrived
  answerSnapshot()
  const codes = (await Promise.all(answers)).map(({ errorCode, baseOffset }) => [
    errorCode,
    baseOffset,
  ])
  assert.deepEqual(codes, [
    [ErrorCode.NONE, 2],
    [ErrorCode.NONE, 3],
    [ErrorCode.NONE, 4],
  ])
})
