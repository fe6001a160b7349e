// The double does to a log what a group may do.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asOffset } from '../../base/brand.ts'
import { leaderEpochAt, stampBatches } from '../../records/batch-header.ts'
import { opaqueBatch } from './batches.ts'
import { ReplicatedLogDouble } from './double.ts'

test('the double commits by itself, or as far as it is told', async () => {
  const log = new ReplicatedLogDouble()
  const first = log.append(opaqueBatch(2))
  assert.ok(first.kind === 'accepted')
  assert.deepEqual(await first.committed, { kind: 'committed' })
  log.autoCommit = false
  const commits: number[] = []
  log.observe({ onCommitted: (offset) => commits.push(offset) })
  log.append(opaqueBatch(1))
  const third = log.append(opaqueBatch(1))
  assert.deepEqual([log.highWatermark, log.logEnd.offset], [2, 4])
  log.commit(asOffset(3))
  log.commit()
  assert.ok(third.kind === 'accepted')
  assert.deepEqual(await third.committed, { kind: 'committed' })
  assert.deepEqual(commits, [3, 4])
})

test('the double loses leadership, is cut back, follows, and leads again', async () => {
  const log = new ReplicatedLogDouble()
  log.autoCommit = false
  const events: string[] = []
  log.observe({
    onAppended: (_, base) => events.push(`append ${base}`),
    onTruncated: (to) => events.push(`truncate ${to.epoch}/${to.offset}`),
    onRoleChanged: (role) => events.push(`${role.kind} ${role.epoch}`),
  })
  const doomed = log.append(opaqueBatch(3))
  log.loseLeadership()
  assert.ok(doomed.kind === 'accepted')
  assert.deepEqual(await doomed.committed, { kind: 'unknown', reason: 'leadership-lost' })
  assert.deepEqual(log.append(opaqueBatch(1)), { kind: 'rejected', reason: 'not-leader' })
  log.truncate({ epoch: asLeaderEpoch(1), offset: asOffset(0) })
  const foreign = opaqueBatch(2)
  stampBatches(foreign, asOffset(0), asLeaderEpoch(2))
  log.replicate(foreign, asLeaderEpoch(2))
  log.commit()
  log.lead({ established: false })
  assert.deepEqual(log.role, { kind: 'leader', epoch: 3, established: false })
  log.commit()
  assert.deepEqual(log.role, { kind: 'leader', epoch: 3, established: true })
  const own = opaqueBatch(1)
  log.append(own)
  assert.equal(leaderEpochAt(own, 0), 3)
  const expected = [
    'append 0',
    'follower 2',
    'truncate 1/0',
    'append 0',
    'leader 3',
    'leader 3',
    'append 2',
  ]
  assert.deepEqual(events, expected)
})

test('the double refuses, and lets waiting appends end as unknown', async () => {
  const log = new ReplicatedLogDouble()
  log.refuseWith = 'storage-full'
  assert.deepEqual(log.append(opaqueBatch(1)), { kind: 'rejected', reason: 'storage-full' })
  log.refuseWith = undefined
  log.autoCommit = false
  const waiting = log.append(opaqueBatch(1))
  log.failWaiting()
  assert.ok(waiting.kind === 'accepted')
  assert.deepEqual(await waiting.committed, { kind: 'unknown', reason: 'quorum-lost' })
})
