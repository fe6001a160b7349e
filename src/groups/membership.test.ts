// Joining, syncing, staying and leaving, with virtual time.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, errorName } from '../protocol/error-codes.ts'
import { bytesOf, GroupRig, subscription, textOf } from './testing/group-rig.ts'

/** A stable group of as many members; the leader gave each its own id as assignment. */
async function stableGroup(rig: GroupRig, size: number) {
  const joins = await rig.form(...Array.from({ length: size }, () => rig.enter()))
  const leader = joins.find(({ leader: id, memberId }) => id === memberId)
  assert.ok(leader)
  const { generationId } = leader
  const assignments = leader.members.map(({ memberId }) => ({
    memberId,
    assignment: bytesOf(memberId),
  }))
  const syncs = joins.map(({ memberId }) =>
    rig.sync({
      generationId,
      memberId,
      assignments: memberId === leader.memberId ? assignments : [],
    }),
  )
  for (const [i, sync] of (await Promise.all(syncs)).entries()) {
    assert.deepEqual([sync.errorCode, textOf(sync.assignment)], [0, joins[i]!.memberId])
  }
  const followers = joins.filter(({ memberId }) => memberId !== leader.memberId)
  return {
    generationId,
    leader: leader.memberId,
    followers: followers.map((join) => join.memberId),
  }
}

test('a first join is sent back for a member id since version 4, not before', async () => {
  const rig = new GroupRig()
  const asked = await rig.join({})
  assert.equal(asked.errorCode, ErrorCode.MEMBER_ID_REQUIRED)
  assert.match(
    asked.memberId,
    /^client-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  )
  for (const version of [0, 3]) {
    const one = new GroupRig()
    const [joined] = await one.form(one.join({}, version))
    assert.deepEqual(
      [joined?.errorCode, joined?.generationId, joined?.protocolName],
      [0, 1, 'range'],
    )
  }
})

test('a group forms after the initial delay, which further members extend', async () => {
  const rig = new GroupRig()
  let formed = 0
  void rig.enter().then(() => formed++)
  await rig.time.advance(2_900)
  void rig.enter().then(() => formed++)
  await rig.time.advance(3_000)
  assert.equal(formed, 0)
  await rig.time.advance(200)
  assert.equal(formed, 2)
})

test('the leader learns of everyone, the others only of their leader', async () => {
  const rig = new GroupRig()
  const joins = await rig.form(rig.enter(), rig.enter(), rig.enter())
  const leaders = joins.filter(({ leader, memberId }) => leader === memberId)
  assert.equal(leaders.length, 1)
  const members = leaders[0]?.members.map(({ memberId }) => memberId).toSorted()
  assert.deepEqual(members, joins.map(({ memberId }) => memberId).toSorted())
  assert.deepEqual(leaders[0]?.members[0]?.metadata, subscription('t'))
  for (const join of joins) {
    assert.deepEqual(
      [join.generationId, join.protocolType, join.protocolName],
      [1, 'consumer', 'range'],
    )
    if (join !== leaders[0]) assert.deepEqual(join.members, [])
  }
})

test('the protocol with the most votes among those that all support is chosen', async () => {
  const rig = new GroupRig()
  const supports = (...names: string[]) => ({
    protocols: names.map((name) => ({ name, metadata: bytesOf(name) })),
  })
  const joins = await rig.form(
    rig.enter(supports('a', 'b', 'c')),
    rig.enter(supports('d', 'b', 'c')),
    rig.enter(supports('c', 'b')),
  )
  assert.deepEqual(
    joins.map(({ protocolName }) => protocolName),
    ['b', 'b', 'b'],
  )
  const stranger = await rig.join(supports('a'))
  assert.equal(stranger.errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  const connector = await rig.join({ ...supports('b'), protocolType: 'connect' })
  assert.equal(connector.errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
})

test('what makes no sense is refused', async () => {
  const rig = new GroupRig()
  const error = async (input: Parameters<GroupRig['join']>[0]) =>
    errorName((await rig.join(input)).errorCode)
  assert.equal(await error({ groupId: '' }), 'INVALID_GROUP_ID')
  assert.equal(await error({ sessionTimeoutMs: 5_999 }), 'INVALID_SESSION_TIMEOUT')
  assert.equal(await error({ sessionTimeoutMs: 1_800_001 }), 'INVALID_SESSION_TIMEOUT')
  assert.equal(await error({ memberId: 'nobody' }), 'UNKNOWN_MEMBER_ID')
  assert.equal(await error({ protocols: [] }), 'INCONSISTENT_GROUP_PROTOCOL')
  assert.equal(await error({ protocolType: '' }), 'INCONSISTENT_GROUP_PROTOCOL')
  assert.deepEqual((await rig.list()).groups, [])
})

test('a group has at most group.max.size members', async () => {
  const rig = new GroupRig({ configs: { 'group.max.size': '2' } })
  await stableGroup(rig, 2)
  assert.equal((await rig.join({})).errorCode, ErrorCode.GROUP_MAX_SIZE_REACHED)
})

test('the node coordinates at most chronik.groups.max groups', async () => {
  const rig = new GroupRig({ configs: { 'chronik.groups.max': '1' } })
  assert.equal((await rig.join({ groupId: 'a' })).errorCode, ErrorCode.MEMBER_ID_REQUIRED)
  assert.equal((await rig.join({ groupId: 'b' })).errorCode, ErrorCode.POLICY_VIOLATION)
  await rig.time.advance(10_001)
  assert.equal((await rig.join({ groupId: 'b' })).errorCode, ErrorCode.MEMBER_ID_REQUIRED)
})

test('sync answers only when the assignment is committed', async () => {
  const rig = new GroupRig()
  const [one] = await rig.form(rig.enter())
  assert.ok(one)
  rig.log.autoCommit = false
  const { memberId } = one
  let answered = false
  const sync = rig.sync({ memberId, assignments: [{ memberId, assignment: bytesOf('x') }] })
  void sync.then(() => (answered = true))
  await rig.time.settle()
  assert.equal(answered, false)
  assert.equal((await rig.describe()).groupState, 'CompletingRebalance')
  rig.log.commit()
  assert.equal(textOf((await sync).assignment), 'x')
  const described = await rig.describe()
  assert.deepEqual([described.groupState, described.protocolData], ['Stable', 'range'])
  assert.equal(textOf(described.members[0]!.memberAssignment), 'x')
  assert.deepEqual(
    [described.members[0]?.clientId, described.members[0]?.clientHost],
    ['client', '/127.0.0.1'],
  )
})

test('an assignment whose commit is unknown or refused starts a rebalance', async () => {
  for (const refuse of [true, false]) {
    const rig = new GroupRig()
    const [one] = await rig.form(rig.enter())
    assert.ok(one)
    const { memberId } = one
    if (refuse) rig.log.refuseWith = 'storage-full'
    else rig.log.autoCommit = false
    const sync = rig.sync({ memberId, assignments: [{ memberId, assignment: bytesOf('x') }] })
    await rig.time.settle()
    if (!refuse) rig.log.failWaiting('quorum-lost')
    const expected = refuse ? ErrorCode.NOT_COORDINATOR : ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert.equal((await sync).errorCode, expected)
    assert.equal(await rig.heartbeat({ memberId }), ErrorCode.REBALANCE_IN_PROGRESS)
  }
})

test('a commit that takes too long is unknown to its member', async () => {
  const rig = new GroupRig({ configs: { 'offsets.commit.timeout.ms': '1000' } })
  const { leader, generationId } = await stableGroup(rig, 1)
  rig.log.autoCommit = false
  const commit = rig.commitOne(5, { memberId: leader, generationIdOrMemberEpoch: generationId })
  await rig.time.advance(999)
  await rig.time.advance(2)
  assert.equal(await commit, ErrorCode.COORDINATOR_NOT_AVAILABLE)
})

test('sync is refused for strangers, other generations and other protocols', async () => {
  const rig = new GroupRig()
  const [one] = await rig.form(rig.enter())
  assert.ok(one)
  const { memberId } = one
  const error = async (input: Parameters<GroupRig['sync']>[0]) =>
    errorName((await rig.sync({ memberId, ...input })).errorCode)
  assert.equal(await error({ groupId: 'other' }), 'UNKNOWN_MEMBER_ID')
  assert.equal(await error({ memberId: 'stranger' }), 'UNKNOWN_MEMBER_ID')
  assert.equal(await error({ generationId: 2 }), 'ILLEGAL_GENERATION')
  assert.equal(await error({ protocolType: 'connect' }), 'INCONSISTENT_GROUP_PROTOCOL')
  assert.equal(await error({ protocolName: 'sticky' }), 'INCONSISTENT_GROUP_PROTOCOL')
  assert.equal(await error({ groupId: '' }), 'INVALID_GROUP_ID')
})

test('a member that stays silent is dropped, and the others rebalance', async () => {
  const rig = new GroupRig()
  const { generationId, leader, followers } = await stableGroup(rig, 2)
  for (let i = 0; i < 3; i++) {
    await rig.time.advance(4_000)
    if (i < 2) assert.equal(await rig.heartbeat({ generationId, memberId: leader }), 0)
  }
  assert.equal(
    await rig.heartbeat({ generationId, memberId: leader }),
    ErrorCode.REBALANCE_IN_PROGRESS,
  )
  assert.equal(
    await rig.heartbeat({ generationId, memberId: followers[0]! }),
    ErrorCode.UNKNOWN_MEMBER_ID,
  )
  const again = await rig.join({ memberId: leader })
  assert.deepEqual([again.errorCode, again.generationId, again.members.length], [0, 2, 1])
  assert.equal(
    await rig.heartbeat({ generationId: 1, memberId: leader }),
    ErrorCode.ILLEGAL_GENERATION,
  )
})

test('a member that does not rejoin in time is dropped from the next generation', async () => {
  const rig = new GroupRig()
  const { generationId, leader, followers } = await stableGroup(rig, 2)
  const rejoin = rig.join({ memberId: leader, rebalanceTimeoutMs: 30_000 })
  for (let i = 0; i < 15; i++) {
    await rig.time.advance(4_000)
    await rig.heartbeat({ generationId, memberId: followers[0]! })
  }
  const joined = await rejoin
  assert.deepEqual([joined.generationId, joined.members.length], [2, 1])
  assert.equal(
    await rig.heartbeat({ generationId: 2, memberId: followers[0]! }),
    ErrorCode.UNKNOWN_MEMBER_ID,
  )
})

test('members that join and never sync are dropped', async () => {
  const rig = new GroupRig()
  const joins = [rig.enter({ rebalanceTimeoutMs: 5_000 }), rig.enter({ rebalanceTimeoutMs: 5_000 })]
  const [a, b] = await rig.form(...joins)
  assert.ok(a && b)
  const leader = a.leader === a.memberId ? a : b
  const mute = leader === a ? b : a
  const sync = await rig.sync({ memberId: leader.memberId })
  assert.equal(sync.errorCode, 0)
  await rig.time.advance(5_000)
  assert.equal(await rig.heartbeat({ memberId: leader.memberId }), ErrorCode.REBALANCE_IN_PROGRESS)
  assert.equal(await rig.heartbeat({ memberId: mute.memberId }), ErrorCode.UNKNOWN_MEMBER_ID)
})

test('a new member makes the others rejoin; who missed its answer gets it again', async () => {
  const rig = new GroupRig()
  const { generationId, leader } = await stableGroup(rig, 1)
  const newcomer = rig.enter()
  await rig.time.settle()
  assert.equal(
    await rig.heartbeat({ generationId, memberId: leader }),
    ErrorCode.REBALANCE_IN_PROGRESS,
  )
  const commit = { memberId: leader, generationIdOrMemberEpoch: generationId }
  assert.equal(await rig.commitOne(1, commit), 0)
  const [first, second] = await Promise.all([rig.join({ memberId: leader }), newcomer])
  assert.deepEqual([first.generationId, second.generationId], [2, 2])
  assert.deepEqual([first.leader, first.members.length], [leader, 2])
  assert.equal(
    await rig.commitOne(2, { ...commit, generationIdOrMemberEpoch: 2 }),
    ErrorCode.REBALANCE_IN_PROGRESS,
  )
  const repeated = await rig.join({ memberId: second.memberId })
  assert.deepEqual([repeated.errorCode, repeated.generationId], [0, 2])
})

test('the last member that leaves makes the group empty, durably', async () => {
  const rig = new GroupRig()
  const { leader, followers } = await stableGroup(rig, 2)
  const left = await rig.leave({ members: [{ memberId: leader }, { memberId: 'x' }] })
  assert.deepEqual(
    left.members.map(({ errorCode }) => errorCode),
    [0, ErrorCode.UNKNOWN_MEMBER_ID],
  )
  assert.equal((await rig.describe()).groupState, 'PreparingRebalance')
  assert.equal((await rig.leave({ memberId: followers[0]! }, 2)).errorCode, 0)
  assert.equal(
    (await rig.leave({ memberId: followers[0]! }, 1)).errorCode,
    ErrorCode.UNKNOWN_MEMBER_ID,
  )
  const described = await rig.describe()
  assert.deepEqual(
    [described.groupState, described.protocolType, described.members],
    ['Empty', 'consumer', []],
  )
  const later = new GroupRig({ logs: rig.logs, time: rig.time })
  await rig.time.settle()
  assert.equal((await later.describe()).groupState, 'Empty')
})

test('a static member comes back under a new id without a rebalance', async () => {
  for (const version of [9, 8]) {
    const rig = new GroupRig()
    const join = (groupInstanceId: string, memberId = '') =>
      rig.join({ groupInstanceId, memberId }, version)
    const [a, b] = await rig.form(join('a'), join('b'))
    assert.ok(a && b)
    const assignments = [a, b].map(({ memberId }) => ({ memberId, assignment: bytesOf(memberId) }))
    await Promise.all([
      rig.sync({ memberId: a.memberId, groupInstanceId: 'a', assignments }),
      rig.sync({ memberId: b.memberId, groupInstanceId: 'b' }),
    ])
    assert.equal(a.leader, a.memberId)
    const back = await join('a')
    assert.deepEqual([back.errorCode, back.generationId], [0, 1])
    assert.notEqual(back.memberId, a.memberId)
    if (version === 9)
      assert.deepEqual(
        [back.leader, back.skipAssignment, back.members.length],
        [back.memberId, true, 2],
      )
    else assert.deepEqual([back.leader, back.members], [a.memberId, []])
    const { assignment } = await rig.sync({ memberId: back.memberId, groupInstanceId: 'a' })
    assert.equal(textOf(assignment), a.memberId)
    const fenced = ErrorCode.FENCED_INSTANCE_ID
    assert.equal(await rig.heartbeat({ memberId: a.memberId, groupInstanceId: 'a' }), fenced)
    assert.equal((await join('a', a.memberId)).errorCode, fenced)
    assert.equal((await rig.sync({ memberId: a.memberId, groupInstanceId: 'a' })).errorCode, fenced)
    const commit = { memberId: a.memberId, groupInstanceId: 'a', generationIdOrMemberEpoch: 1 }
    assert.equal(await rig.commitOne(1, commit), fenced)
    assert.equal(await rig.heartbeat({ memberId: b.memberId, groupInstanceId: 'b' }), 0)
    const left = await rig.leave({
      members: [
        { memberId: '', groupInstanceId: 'a' },
        { memberId: '', groupInstanceId: 'c' },
      ],
    })
    assert.deepEqual(
      left.members.map(({ errorCode }) => errorCode),
      [0, ErrorCode.UNKNOWN_MEMBER_ID],
    )
  }
})

test('a static member that was replaced while it waited is fenced; an unwritten replacement is taken back', async () => {
  const rig = new GroupRig()
  const first = rig.join({ groupInstanceId: 'a' })
  await rig.time.settle()
  const second = rig.join({ groupInstanceId: 'a' })
  assert.equal((await first).errorCode, ErrorCode.FENCED_INSTANCE_ID)
  const [joined] = await rig.form(second)
  assert.ok(joined)
  await rig.sync({ memberId: joined.memberId, groupInstanceId: 'a' })
  rig.log.refuseWith = 'storage-full'
  assert.equal((await rig.join({ groupInstanceId: 'a' })).errorCode, ErrorCode.NOT_COORDINATOR)
  assert.equal(await rig.heartbeat({ memberId: joined.memberId, groupInstanceId: 'a' }), 0)
})

test('a stable group survives a restart: members go on with their heartbeats', async () => {
  const rig = new GroupRig()
  const { generationId, leader, followers } = await stableGroup(rig, 2)
  const later = new GroupRig({ logs: rig.logs, time: rig.time })
  assert.equal(await later.heartbeat({ generationId, memberId: leader }), 0)
  await rig.time.settle()
  for (const memberId of [leader, ...followers]) {
    assert.equal(await later.heartbeat({ generationId, memberId }), 0)
    const { assignment } = await later.sync({ generationId, memberId })
    assert.equal(textOf(assignment), memberId)
  }
  await rig.time.advance(10_001)
  assert.equal((await later.describe()).groupState, 'Empty')
})

test('whoever waits when leadership is lost is told to look for the coordinator', async () => {
  const rig = new GroupRig()
  const { leader, generationId } = await stableGroup(rig, 1)
  rig.log.autoCommit = false
  const commit = rig.commitOne(3, { memberId: leader, generationIdOrMemberEpoch: generationId })
  const newcomer = rig.enter()
  await rig.time.settle()
  rig.log.loseLeadership()
  assert.equal((await newcomer).errorCode, ErrorCode.NOT_COORDINATOR)
  assert.equal(await commit, ErrorCode.NOT_COORDINATOR)
  assert.equal(await rig.heartbeat({ generationId, memberId: leader }), ErrorCode.NOT_COORDINATOR)
  assert.equal((await rig.join({})).errorCode, ErrorCode.NOT_COORDINATOR)
  assert.equal(await rig.fetchOne(), `error ${ErrorCode.NOT_COORDINATOR}`)
  assert.equal(rig.time.timerCount, 0)
  rig.log.autoCommit = true
  rig.log.lead({ established: false })
  assert.equal((await rig.join({})).errorCode, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
  rig.log.commit()
  await rig.time.settle()
  assert.equal(await rig.heartbeat({ generationId, memberId: leader }), 0)
})

test('a coordinator that is closed leaves no timer behind', async () => {
  const rig = new GroupRig()
  await stableGroup(rig, 3)
  void rig.enter()
  await rig.time.settle()
  rig.coordinator.close()
  assert.equal(rig.time.timerCount, 0)
  assert.equal((await rig.join({})).errorCode, ErrorCode.COORDINATOR_NOT_AVAILABLE)
})

test('without the topic of offsets there is no coordinator', async () => {
  const rig = new GroupRig({ logs: [] })
  assert.equal(
    (await rig.coordinator.findCoordinator('g')).errorCode,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
  )
  assert.equal((await rig.join({})).errorCode, ErrorCode.COORDINATOR_NOT_AVAILABLE)
  const many = new GroupRig({ logs: [new GroupRig().log, new GroupRig().log, new GroupRig().log] })
  assert.deepEqual(await many.coordinator.findCoordinator('hello'), {
    errorCode: 0,
    errorMessage: null,
    partition: 99162322 % 3,
  })
})

test('a sync that the leader repeats does not replace the assignment that is being written', async () => {
  const rig = new GroupRig()
  const [one] = await rig.form(rig.enter())
  assert.ok(one)
  const { memberId } = one
  rig.log.autoCommit = false
  const assign = (text: string) =>
    rig.sync({ memberId, assignments: [{ memberId, assignment: bytesOf(text) }] })
  const first = assign('first')
  await rig.time.settle()
  const second = assign('second')
  assert.equal((await first).errorCode, ErrorCode.REBALANCE_IN_PROGRESS)
  rig.log.commit()
  assert.equal(textOf((await second).assignment), 'first')
  const later = new GroupRig({ logs: rig.logs, time: rig.time })
  await rig.time.settle()
  assert.equal(textOf((await later.sync({ memberId })).assignment), 'first')
})

test('an assignment that is committed after its generation is over changes nothing', async () => {
  const rig = new GroupRig()
  const [one] = await rig.form(rig.enter())
  assert.ok(one)
  const { memberId } = one
  rig.log.autoCommit = false
  const sync = rig.sync({ memberId, assignments: [{ memberId, assignment: bytesOf('old') }] })
  await rig.time.settle()
  const newcomer = rig.enter()
  await rig.time.settle()
  assert.equal((await sync).errorCode, ErrorCode.REBALANCE_IN_PROGRESS)
  const again = await rig.join({ memberId })
  assert.deepEqual([again.generationId, (await newcomer).generationId], [2, 2])
  rig.log.commit()
  await rig.time.settle()
  assert.equal((await rig.describe()).groupState, 'CompletingRebalance')
})

test('what members say of themselves, and what is assigned to them, is bounded', async () => {
  const rig = new GroupRig()
  const huge = { protocols: [{ name: 'range', metadata: new Uint8Array(1024 * 1024) }] }
  assert.equal((await rig.join(huge)).errorCode, ErrorCode.MESSAGE_TOO_LARGE)
  assert.deepEqual((await rig.list()).groups, [])
  const [one] = await rig.form(rig.enter())
  assert.ok(one)
  const { memberId } = one
  const assignments = [{ memberId, assignment: new Uint8Array(17 * 1024 * 1024) }]
  assert.equal(
    (await rig.sync({ memberId, assignments })).errorCode,
    ErrorCode.UNKNOWN_SERVER_ERROR,
  )
  assert.equal(await rig.heartbeat({ memberId }), ErrorCode.REBALANCE_IN_PROGRESS)
})
