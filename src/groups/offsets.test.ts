// Committed offsets: who may commit, what a fetch returns, what survives, what goes, and when.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, errorName } from '../protocol/error-codes.ts'
import { buildBatch } from '../records/build.ts'
import { GroupRig, subscription } from './testing/group-rig.ts'

const DAY_MS = 24 * 60 * 60 * 1000

test('an application without a group protocol commits and fetches, over a restart', async () => {
  const rig = new GroupRig()
  assert.equal(await rig.fetchOne(), -1)
  for (const offset of [5, 3, 8]) assert.equal(await rig.commitOne(offset), 0)
  assert.equal(await rig.fetchOne(), 8)
  const later = new GroupRig({ logs: rig.logs, time: rig.time })
  assert.equal(await later.fetchOne(), `error ${ErrorCode.COORDINATOR_LOAD_IN_PROGRESS}`)
  await rig.time.settle()
  assert.equal(await later.fetchOne(), 8)
  assert.deepEqual(
    (await later.list()).groups.map((group) => [group.groupId, group.groupState, group.groupType]),
    [['g', 'Empty', 'classic']],
  )
})

test('a commit is answered only when it is committed, and not seen before', async () => {
  const rig = new GroupRig()
  await rig.commitOne(1)
  rig.log.autoCommit = false
  let answered = false
  const commit = rig.commitOne(2).then((error) => ((answered = true), error))
  await rig.time.settle()
  assert.deepEqual([answered, await rig.fetchOne()], [false, 1])
  rig.log.commit()
  assert.equal(await commit, 0)
  assert.equal(await rig.fetchOne(), 2)
})

test('unknown and refused commits are never a success', async () => {
  const rig = new GroupRig()
  rig.log.refuseWith = 'storage-full'
  assert.equal(errorName(await rig.commitOne(1)), 'NOT_COORDINATOR')
  assert.deepEqual((await rig.list()).groups, [])
  rig.log.refuseWith = undefined
  rig.log.autoCommit = false
  const lost = rig.commitOne(2)
  await rig.time.settle()
  rig.log.loseLeadership()
  assert.equal(errorName(await lost), 'NOT_COORDINATOR')
  // The next leader of the log cut it off: it never counts.
  rig.log.truncate({ epoch: rig.log.epochs.last, offset: rig.log.highWatermark })
  rig.log.lead()
  await rig.time.settle()
  assert.equal(await rig.fetchOne(), -1)
})

test('a fetch is not answered from a coordinator that may have been replaced', async () => {
  const rig = new GroupRig()
  await rig.commitOne(1)
  rig.log.barrier = { kind: 'unknown', reason: 'leadership-lost' }
  assert.equal(await rig.fetchOne(), `error ${ErrorCode.NOT_COORDINATOR}`)
  assert.equal((await rig.describe()).errorCode, ErrorCode.NOT_COORDINATOR)
})

test('a topic that this node has not heard of yet is asked for before its offsets are refused', async () => {
  const rig = new GroupRig({ topics: new Map([['u', 1]]) })
  await rig.time.settle()
  rig.metadataCaughtUp = () => {
    rig.topics.set('t', 4)
    return Promise.resolve(true)
  }
  assert.equal(errorName(await rig.commitOne(5)), 'NONE')
  rig.metadataCaughtUp = () => Promise.resolve(false)
  rig.topics.delete('t')
  assert.equal(errorName(await rig.commitOne(6)), 'UNKNOWN_TOPIC_OR_PARTITION')
  const partition = { partitionIndex: 0, committedOffset: 1, committedMetadata: null }
  const later = { topicId: rig.idOf('v'), partitions: [partition] }
  rig.metadataCaughtUp = () => {
    rig.topics.set('v', 1)
    return Promise.resolve(true)
  }
  const { topics } = await rig.commit({ topics: [later] }, 10)
  assert.equal(topics[0]?.partitions[0]?.errorCode, ErrorCode.NONE)
})

test('members commit in their generation, strangers do not', async () => {
  const rig = new GroupRig()
  const [one] = await rig.form(rig.enter())
  assert.ok(one)
  const { memberId } = one
  await rig.sync({ memberId })
  const error = async (input: Parameters<GroupRig['commitOne']>[1], version?: number) =>
    errorName(await rig.commitOne(1, input, version))
  assert.equal(await error({ memberId, generationIdOrMemberEpoch: 1 }), 'NONE')
  assert.equal(await error({ memberId, generationIdOrMemberEpoch: 2 }), 'ILLEGAL_GENERATION')
  assert.equal(await error({ memberId }), 'ILLEGAL_GENERATION')
  assert.equal(await error({ memberId: 'x', generationIdOrMemberEpoch: 1 }), 'UNKNOWN_MEMBER_ID')
  assert.equal(await error({}), 'UNKNOWN_MEMBER_ID')
  assert.equal(
    await error({ groupId: 'new', generationIdOrMemberEpoch: 1 }, 9),
    'GROUP_ID_NOT_FOUND',
  )
  assert.equal(
    await error({ groupId: 'new', generationIdOrMemberEpoch: 1 }, 8),
    'ILLEGAL_GENERATION',
  )
})

test('each partition is checked by itself', async () => {
  const rig = new GroupRig({ configs: { 'offset.metadata.max.bytes': '3' } })
  const partition = (partitionIndex: number, committedMetadata: string | null = null) => ({
    partitionIndex,
    committedOffset: 7,
    committedLeaderEpoch: 2,
    committedMetadata,
  })
  const { topics } = await rig.commit({
    topics: [
      {
        name: 't',
        partitions: [partition(0, 'abc'), partition(1, 'abcd'), partition(4), partition(-1)],
      },
      { name: 'nope', partitions: [partition(0)] },
    ],
  })
  assert.deepEqual(
    topics.map(({ partitions }) => partitions.map(({ errorCode }) => errorName(errorCode))),
    [
      [
        'NONE',
        'OFFSET_METADATA_TOO_LARGE',
        'UNKNOWN_TOPIC_OR_PARTITION',
        'UNKNOWN_TOPIC_OR_PARTITION',
      ],
      ['UNKNOWN_TOPIC_OR_PARTITION'],
    ],
  )
  const all = {
    partitionIndex: 0,
    committedOffset: 7,
    committedLeaderEpoch: 2,
    metadata: 'abc',
    errorCode: 0,
  }
  const fetched = await rig.fetch({ groupId: 'g', topics: null }, 7)
  assert.deepEqual(fetched.topics, [{ name: 't', partitions: [all] }])
})

test('every version of commit and fetch, several groups at once, topics by id', async () => {
  for (let version = 2; version <= 10; version++) {
    const rig = new GroupRig()
    const topicId = rig.coordinator && Buffer.from('t'.padEnd(16, '.')).toString('base64url')
    const partitions = [{ partitionIndex: 1, committedOffset: version, committedMetadata: 'm' }]
    const named = version >= 10 ? { topicId } : { name: 't' }
    const answer = await rig.commit({ topics: [{ ...named, partitions }] }, version)
    assert.equal(answer.topics[0]?.partitions[0]?.errorCode, 0)
    if (version >= 10) {
      assert.equal(answer.topics[0]?.topicId, topicId)
      const unknown = await rig.commit(
        { topics: [{ topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partitions }] },
        version,
      )
      assert.equal(unknown.topics[0]?.partitions[0]?.errorCode, ErrorCode.UNKNOWN_TOPIC_ID)
    }
    for (let fetchVersion = 1; fetchVersion <= 10; fetchVersion++) {
      const partitionIndexes = [1, 0]
      if (fetchVersion < 8) {
        const { topics } = await rig.fetch(
          { groupId: 'g', topics: [{ name: 't', partitionIndexes }] },
          fetchVersion,
        )
        assert.deepEqual(
          topics[0]?.partitions.map((one) => one.committedOffset),
          [version, -1],
        )
      } else {
        const asked = fetchVersion >= 10 ? { topicId } : { name: 't' }
        const topics = [{ ...asked, partitionIndexes }]
        const { groups } = await rig.fetch(
          {
            groups: [
              { groupId: 'g', topics },
              { groupId: 'h', topics: null },
            ],
          },
          fetchVersion,
        )
        assert.deepEqual(
          groups[0]?.topics[0]?.partitions.map((one) => one.committedOffset),
          [version, -1],
        )
        assert.deepEqual(groups[1], { groupId: 'h', topics: [], errorCode: 0 })
      }
    }
  }
})

test('errors of a whole fetch are where each version has room for them', async () => {
  const rig = new GroupRig()
  rig.log.loseLeadership()
  const topics = [{ name: 't', partitionIndexes: [0] }]
  const old = await rig.fetch({ groupId: 'g', topics }, 1)
  assert.equal(old.topics[0]?.partitions[0]?.errorCode, ErrorCode.NOT_COORDINATOR)
  assert.equal((await rig.fetch({ groupId: 'g', topics }, 7)).errorCode, ErrorCode.NOT_COORDINATOR)
  assert.equal(
    (await rig.fetch({ groups: [{ groupId: 'g', topics }] }, 8)).groups[0]?.errorCode,
    ErrorCode.NOT_COORDINATOR,
  )
})

test('a group is deleted with its offsets, those on their way too, once it is empty', async () => {
  const rig = new GroupRig()
  const [one] = await rig.form(rig.enter())
  assert.ok(one)
  await rig.sync({ memberId: one.memberId })
  await rig.commitOne(4, { memberId: one.memberId, generationIdOrMemberEpoch: 1 })
  assert.deepEqual(await rig.delete('g', 'none'), [
    ErrorCode.NON_EMPTY_GROUP,
    ErrorCode.GROUP_ID_NOT_FOUND,
  ])
  await rig.leave({ members: [{ memberId: one.memberId }] })
  rig.log.autoCommit = false
  const partitions = [{ partitionIndex: 2, committedOffset: 9, committedMetadata: '' }]
  const late = rig.commit({ topics: [{ name: 't', partitions }] })
  await rig.time.settle()
  const deleted = rig.delete('g')
  await rig.time.settle()
  rig.log.commit()
  rig.log.autoCommit = true
  assert.equal((await late).topics[0]?.partitions[0]?.errorCode, 0)
  assert.deepEqual(await deleted, [0])
  const later = new GroupRig({ logs: rig.logs, time: rig.time })
  await rig.time.settle()
  for (const after of [rig, later]) {
    assert.deepEqual((await after.fetch({ groupId: 'g', topics: null }, 7)).topics, [])
    assert.equal((await after.describe()).errorCode, ErrorCode.GROUP_ID_NOT_FOUND)
    assert.equal((await after.describe('g', 5)).groupState, 'Dead')
    assert.deepEqual((await after.list()).groups, [])
  }
})

test('groups are listed by state and type', async () => {
  const rig = new GroupRig()
  await rig.commitOne(1, { groupId: 'simple' })
  const [one] = await rig.form(rig.enter({ groupId: 'busy' }))
  await rig.sync({ groupId: 'busy', memberId: one?.memberId ?? '' })
  const names = async (input: Parameters<GroupRig['list']>[0]) =>
    (await rig.list(input)).groups.map(({ groupId }) => groupId).toSorted()
  assert.deepEqual(await names({}), ['busy', 'simple'])
  assert.deepEqual(await names({ statesFilter: ['stable'] }), ['busy'])
  assert.deepEqual(await names({ statesFilter: ['Empty', 'Dead'] }), ['simple'])
  assert.deepEqual(await names({ typesFilter: ['Classic'] }), ['busy', 'simple'])
  assert.deepEqual(await names({ typesFilter: ['consumer'] }), [])
})

test('a topic that was created anew while nobody coordinated begins without offsets', async () => {
  const rig = new GroupRig()
  assert.equal(await rig.commitOne(5), 0)
  rig.log.loseLeadership()
  rig.deleteTopic('t')
  rig.topics.set('t', 4)
  rig.recreated.set('t', 1)
  rig.log.lead()
  await rig.time.settle()
  assert.equal(await rig.fetchOne(), -1)
  assert.equal(await rig.commitOne(7), 0)
  rig.log.loseLeadership()
  rig.log.lead()
  await rig.time.settle()
  assert.equal(await rig.fetchOne(), 7)
})

test('the deletion of a topic, heard of late, leaves the offsets of the one after it', async () => {
  const rig = new GroupRig()
  const id = rig.idOf('t')
  rig.recreated.set('t', 1)
  assert.equal(await rig.commitOne(5), 0)
  rig.coordinator.onTopicsDeleted([{ name: 't', id }])
  await rig.time.settle()
  assert.equal(await rig.fetchOne(), 5)
})

test('offsets of deleted topics go, also those that were deleted while nobody coordinated', async () => {
  const rig = new GroupRig()
  const partitions = [{ partitionIndex: 0, committedOffset: 1, committedMetadata: '' }]
  await rig.commit({
    topics: [
      { name: 't', partitions },
      { name: 'u', partitions },
    ],
  })
  const left = async (of: GroupRig) =>
    (await of.fetch({ groupId: 'g', topics: null }, 7)).topics.map(({ name }) => name)
  rig.deleteTopic('u')
  await rig.time.settle()
  assert.deepEqual(await left(rig), ['t'])
  const later = new GroupRig({ logs: rig.logs, time: rig.time, topics: new Map() })
  await rig.time.settle()
  assert.deepEqual(await left(later), [])
})

test('a coordinator whose metadata lags takes no topic for deleted that it has not heard of yet', async () => {
  const rig = new GroupRig()
  await rig.commitOne(1)
  const lagging = new GroupRig({ logs: rig.logs, time: rig.time, topics: new Map() })
  const answers: ((known: boolean) => void)[] = []
  lagging.metadataCaughtUp = () => new Promise((resolve) => answers.push(resolve))
  const left = async () =>
    (await lagging.fetch({ groupId: 'g', topics: null }, 7)).topics.map(({ name }) => name)
  await rig.time.settle()
  assert.deepEqual(await left(), ['t'])
  // Not to be told now: asked again.
  answers.shift()?.(false)
  await rig.time.advance(1_000)
  assert.equal(answers.length, 1)
  lagging.topics.set('t', 1)
  answers.shift()?.(true)
  await rig.time.settle()
  assert.deepEqual(await left(), ['t'])
})

test('offsets expire with their group, never under a member that subscribes to the topic', async () => {
  const rig = new GroupRig({ configs: { 'offsets.retention.minutes': String(24 * 60) } })
  const [one] = await rig.form(
    rig.enter({
      sessionTimeoutMs: 1_800_000,
      protocols: [{ name: 'range', metadata: subscription('t') }],
    }),
  )
  assert.ok(one)
  const { memberId } = one
  await rig.sync({ memberId })
  const partitions = [{ partitionIndex: 0, committedOffset: 1, committedMetadata: '' }]
  const topics = [
    { name: 't', partitions },
    { name: 'u', partitions },
  ]
  await rig.commit({ memberId, generationIdOrMemberEpoch: 1, topics })
  await rig.commitOne(1, { groupId: 'simple' })
  const left = async () =>
    (await rig.fetch({ groupId: 'g', topics: null }, 7)).topics.map(({ name }) => name)
  for (let elapsed = 0; elapsed < DAY_MS + 700_000; elapsed += 1_200_000) {
    await rig.time.advance(1_200_000)
    await rig.heartbeat({ memberId })
  }
  assert.deepEqual(await left(), ['t'])
  assert.equal((await rig.describe('simple')).errorCode, ErrorCode.GROUP_ID_NOT_FOUND)
  await rig.leave({ members: [{ memberId }] })
  await rig.time.advance(DAY_MS - 700_000)
  assert.deepEqual(await left(), ['t'])
  await rig.time.advance(1_400_000)
  assert.deepEqual(await left(), [])
  assert.equal((await rig.describe()).errorCode, ErrorCode.GROUP_ID_NOT_FOUND)
})

test('a commit may bring its own expiry, before version 5', async () => {
  const rig = new GroupRig()
  await rig.commitOne(1, { retentionTimeMs: 3_600_000 }, 4)
  const later = new GroupRig({ logs: rig.logs, time: rig.time })
  await rig.time.advance(3_500_000)
  assert.equal(await later.fetchOne(), 1)
  await rig.time.advance(700_000)
  assert.equal(await later.fetchOne(), -1)
})

test('what a client wrote into the topic by itself harms nobody', async () => {
  const rig = new GroupRig()
  await rig.commitOne(1)
  const value = Uint8Array.of(0, 99, 1, 2, 3)
  const keys = [
    Uint8Array.of(0, 1, 120, 120),
    Uint8Array.of(0, 2),
    Uint8Array.of(0, 77),
    Uint8Array.of(9),
  ]
  for (const key of keys) rig.log.append(buildBatch([{ key, value, timestampMs: 0 }]))
  const commit = rig.commitOne(2)
  await rig.time.settle()
  assert.equal(await commit, 0)
  const later = new GroupRig({ logs: rig.logs, time: rig.time })
  await rig.time.settle()
  assert.deepEqual([await rig.fetchOne(), await later.fetchOne()], [2, 2])
})
