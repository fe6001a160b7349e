// A commit that takes longer than its client waits (offsets.commit.timeout.ms) and is committed in the end: its group is there
// like any other.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorName } from '../protocol/error-codes.ts'
import { GroupRig } from './testing/group-rig.ts'

/** The client has given up; the log then takes the offset all the same. */
async function slowCommit(): Promise<GroupRig> {
  const rig = new GroupRig()
  await rig.time.settle()
  rig.log.autoCommit = false
  const commit = rig.commitOne(5)
  await rig.time.advance(5_001)
  assert.equal(errorName(await commit), 'COORDINATOR_NOT_AVAILABLE')
  rig.log.autoCommit = true
  rig.log.commit()
  await rig.time.settle()
  assert.equal(await rig.fetchOne(), 5)
  return rig
}

test('a group whose first commit came late is listed and can be deleted', async () => {
  const rig = await slowCommit()
  assert.deepEqual(
    (await rig.list()).groups.map(({ groupId }) => groupId),
    ['g'],
  )
  assert.deepEqual((await rig.delete('g')).map(errorName), ['NONE'])
  assert.equal(await rig.fetchOne(), -1)
})

test('an offset that came late goes with its topic, also where the deletion overtakes its commit', async () => {
  const rig = await slowCommit()
  rig.deleteTopic('t')
  await rig.time.settle()
  assert.equal(await rig.fetchOne(), -1)
})

test('a deletion covers commits that are still on their way, though nobody waits for them', async () => {
  const rig = new GroupRig()
  await rig.time.settle()
  rig.log.autoCommit = false
  const commit = rig.commitOne(5)
  await rig.time.advance(5_001)
  await commit
  rig.deleteTopic('t')
  rig.log.commit()
  await rig.time.settle()
  assert.equal(await rig.fetchOne(), -1)
})
