// A node whose journal is damaged comes back, where others can vouch for what it has forgotten (law R5).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchOf, fetchValues, produce } from '../broker/testing/requests.ts'
import { damageJournal } from '../storage/testing/damage-journal.ts'
import { SimCluster } from './testing/sim-cluster.ts'

const ALL = [[1, 2, 3]]

/** While the node is down; another process has its disk. */
async function damage(cluster: SimCluster, id: number, what: 'journal' | 'checkpoint') {
  const { disk } = cluster.host(id).boot()
  if (what === 'journal') await cluster.settle(damageJournal(disk, '/data', 0.5))
  else assert.ok(cluster.host(id).flipBit(/\/checkpoint$/) !== undefined)
  cluster.host(id).kill()
}

for (const what of ['journal', 'checkpoint'] as const) {
  test(`its ${what} is damaged: it begins anew, heals, and then the loss of another node is survived`, async () => {
    const lines: string[] = []
    const cluster = await SimCluster.start({ log: (line) => lines.push(line) })
    await cluster.create('t', { assignments: ALL })
    const first = await cluster.connect(1)
    const said = ['a', 'b', 'c', 'd', 'e']
    for (const value of said) {
      const { errorCode } = await cluster.settle(produce(first, 't', batchOf([value])))
      assert.equal(errorCode, 0)
    }
    cluster.kill(3)
    await damage(cluster, 3, what)
    await cluster.boot(3)
    const whole = () => lines.some((line) => line.includes('are whole again'))
    await cluster.until('whole', whole, 20_000)
    assert.ok(lines.some((line) => line.includes('the journal is damaged')))
    cluster.kill(1)
    await cluster.until('a leader', () => [2, 3].includes(cluster.partition(2, 't').leader ?? 0))
    const leader = cluster.partition(2, 't').leader!
    const client = await cluster.connect(leader)
    const { errorCode } = await cluster.settle(produce(client, 't', batchOf(['f'])))
    assert.equal(errorCode, 0)
    const held = await cluster.settle(fetchValues(client, 't', 0))
    assert.deepEqual(
      held,
      [...said, 'f'].map((value, offset) => `${offset}:${value}`),
    )
    // It is an ordinary node again.
    cluster.kill(3)
    await cluster.boot(1, 3)
    await cluster.settle(
      produce(await cluster.connect(cluster.partition(3, 't').leader!), 't', batchOf(['g'])),
    )
  })
}

/** Why the node does not start. */
async function refusal(cluster: SimCluster, id: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  cluster.begin(id).then(
    () => resolve('it started'),
    (error: unknown) => resolve(String(error)),
  )
  return cluster.settle(promise, 20_000)
}

test('a cluster of two nodes, and the only replica of a topic: refused, with what to do', async () => {
  const two = await SimCluster.start({ nodes: 2 })
  two.kill(2)
  await damage(two, 2, 'journal')
  assert.match(await refusal(two, 2), /two nodes nobody can vouch .*Restore the directory/)

  const three = await SimCluster.start()
  await three.create('alone', { assignments: [[3]] })
  three.kill(3)
  await damage(three, 3, 'journal')
  assert.match(
    await refusal(three, 3),
    /the only replica of alone-0.* is here.*Restore the directory/,
  )
})

test('nodes that lost their journals form no new cluster among themselves', async () => {
  const cluster = await SimCluster.start()
  for (const id of [1, 2, 3]) cluster.kill(id)
  for (const id of [1, 2, 3]) await damage(cluster, id, 'checkpoint')
  let served = false
  cluster.begin(1, 2, 3).then(
    () => (served = true),
    () => undefined,
  )
  await cluster.pass(15_000)
  assert.equal(served, false)
})

test('killed at any time while it begins anew, it is a suspect all the same', async () => {
  for (const afterMs of [1, 4, 10, 30]) {
    const lines: string[] = []
    const cluster = await SimCluster.start({ log: (line) => lines.push(line), seed: afterMs })
    await cluster.create('t', { assignments: ALL })
    const client = await cluster.connect(1)
    await cluster.settle(produce(client, 't', batchOf(['a'])))
    cluster.kill(3)
    await damage(cluster, 3, 'journal')
    // The power fails before it is up: whether it had failed or only begun is no matter.
    cluster.begin(3).catch(() => undefined)
    await cluster.pass(afterMs)
    cluster.host(3).powerCut()
    lines.length = 0
    await cluster.boot(3)
    await cluster.until(
      'whole',
      () => lines.some((line) => line.includes('are whole again')),
      20_000,
    )
  }
})

test('a group of two voters stays suspect, and the status and the log say so', async () => {
  const lines: string[] = []
  const cluster = await SimCluster.start({ log: (line) => lines.push(line) })
  await cluster.create('t', { assignments: ALL })
  await cluster.create('pair', { assignments: [[1, 3]] })
  cluster.kill(3)
  await damage(cluster, 3, 'journal')
  await cluster.boot(3)
  const suspects = () => cluster.node(3).admin.view().suspects
  assert.ok((suspects()?.replicas ?? 0) > 0)
  await cluster.until('all others are whole', () => suspects()?.replicas === 1, 20_000)
  assert.deepEqual(suspects(), { replicas: 1, stuck: 1 })
  assert.ok(lines.some((line) => line.includes('fewer than three voters stay suspects')))
  assert.equal(cluster.node(1).admin.view().suspects, undefined)
  // What it creates from now on is new, and whole.
  await cluster.create('after', { assignments: ALL })
  await cluster.pass(2_500)
  assert.deepEqual(suspects(), { replicas: 1, stuck: 1 })
})
