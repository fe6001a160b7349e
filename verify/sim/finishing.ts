// The end of a seed: after everything is healed, whoever works must get something done within a bounded time; then the
// producers end, the group catches up, and a fresh client reads everything.

import { listTopics } from '../../src/client/admin-topics.ts'
import { GroupConsumer } from '../../src/client/group-consumer.ts'
import { findOffsets } from '../../src/client/partition-offsets.ts'
import { retrying } from '../../src/client/retrying.ts'
import type { Final } from '../history/history.ts'
import { askCommitted, incarnationOf, list } from './administering.ts'
import { COMPACTED } from './compacting.ts'
import { DELIVERY_TIMEOUT_MS } from './producing.ts'
import { fetchRaw } from './reading.ts'
import type { SimNode } from './node.ts'
import { GROUP, pause, TOPIC, type Client, type World } from './world.ts'

/** Virtual time in which each client must get something done once everything is healed. */
const PROGRESS_MS_MAX = 15_000
const END_MS_MAX = DELIVERY_TIMEOUT_MS + 10_000
const READ_MS_MAX = 30_000
const CATCH_UP_WAITS = 100

/** Waits until every client has done something since the healing, or reports those that have not. */
export async function requireProgress(world: World, nodes: readonly SimNode[]): Promise<void> {
  const { simulation } = world
  world.enter('healed')
  const isUp = (): boolean => nodes.every((node) => node.isUp || node.wiped)
  const all = (): boolean => isUp() && [...world.progress.values()].every((count) => count > 0)
  const end = await simulation.run({ until: all, untilMs: simulation.nowMs + PROGRESS_MS_MAX })
  if (end === 'until') return
  const idle = [...world.progress].filter(([, count]) => count === 0).map(([role]) => role)
  const who = isUp() ? idle.join(', ') : 'a node, which does not come up'
  const text = `nothing done by ${who} in the ${PROGRESS_MS_MAX} ms after everything was healed`
  world.report({ name: 'no-progress', where: who, text })
}

/** Ends the producers, and then everyone else. */
export async function endClients(world: World): Promise<void> {
  const { simulation } = world
  const deadline = () => simulation.nowMs + END_MS_MAX
  world.enter('draining')
  const producing = () =>
    world.running().some((role) => role.startsWith('producer') || role === 'keeper')
  await simulation.run({ until: () => !producing(), untilMs: deadline() })
  world.enter('over')
  await simulation.run({ until: () => world.running().length === 0, untilMs: deadline() })
  for (const role of world.running()) {
    world.report({ name: 'stuck', where: role, text: `${role} does not come to an end` })
  }
}

/** By a client that has seen nothing before. Throws where it can't be done, which is a problem too. */
export async function readEverything(world: World): Promise<void> {
  const { simulation } = world
  let done = false
  const client = world.spawn('final-reader', async (reader) => {
    await finalReads(reader)
    done = true
  })
  await simulation.run({
    until: () => done || world.problems.some(({ where }) => where === client.name),
    untilMs: simulation.nowMs + READ_MS_MAX,
  })
  if (done) return
  const text = `the last reading was not done in ${READ_MS_MAX} ms`
  world.report({ name: 'no-progress', where: client.name, text })
}

async function finalReads(client: Client): Promise<void> {
  const { cluster, world } = client
  const timeoutMs = READ_MS_MAX
  await list(client)
  const topics = await retrying(cluster, { timeoutMs }, () => listTopics(cluster))
  for (const topic of topics) {
    if (topic.internal || topic.name === COMPACTED) continue
    for (const { partition } of topic.partitions) {
      await readPartition(client, topic.name, incarnationOf(topic), partition)
    }
  }
  if (world.plan.members > 0) await catchUp(client)
  if (world.plan.members > 0) await askCommitted(client)
}

async function readPartition(
  client: Client,
  topic: string,
  incarnation: string,
  partition: number,
): Promise<void> {
  const { cluster, world, name } = client
  const limits = { timeoutMs: READ_MS_MAX }
  const begun = world.recorder.begin(name)
  const records: Final['records'][number][] = []
  const first = await retrying(cluster, limits, async () => {
    const start = await edgeOf(cluster, topic, partition, 'beginning')
    return fetchRaw(cluster, { topic, partition, offset: start }, incarnation)
  })
  const end = await retrying(cluster, limits, () => edgeOf(cluster, topic, partition, 'end'))
  let last = first
  let waits = 0
  for (;;) {
    records.push(...last.records)
    world.recorder.note(name, {
      kind: 'bytes',
      topic: incarnation,
      partition,
      batches: last.batches,
    })
    const { next: offset } = last
    if (offset >= end) break
    last = await retrying(cluster, limits, () =>
      fetchRaw(cluster, { topic, partition, offset }, incarnation),
    )
    if (last.next > offset) continue
    // A new leader knows its high watermark only once it has committed something of its own.
    if (waits++ > CATCH_UP_WAITS) break
    await pause(client, 50)
  }
  const { logStart } = first
  const at = { topic: incarnation, partition, logStart, highWatermark: end }
  const common = { kind: 'final', ...at } as const
  world.recorder.end(begun, { ...common, records })
}

async function edgeOf(
  cluster: Client['cluster'],
  topic: string,
  partition: number,
  at: 'beginning' | 'end',
): Promise<number> {
  const [found] = await findOffsets(cluster, [{ topic, partition, at }])
  return found?.offset ?? 0
}

/** One more member, alone, takes the group to the end of every partition, so that what the group was given is complete. */
async function catchUp(client: Client): Promise<void> {
  const consumer = new GroupConsumer(client.cluster, {
    groupId: GROUP,
    topics: [TOPIC],
    sessionTimeoutMs: 1_500,
    rebalanceTimeoutMs: 2_000,
    heartbeatMs: 300,
    startAt: 'beginning',
    autoCommitMs: undefined,
  })
  await retrying(client.cluster, { timeoutMs: READ_MS_MAX }, () => consumer.poll(200))
  await consumer.close()
}
