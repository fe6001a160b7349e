// A simulated client that writes and deletes a few keys of a compacted topic, again and again, and what must hold of them on each
// replica in the end: of each key the newest record counts, and none that was deleted comes back (law R10).

import { createTopic, listTopics } from '../../src/client/admin-topics.ts'
import { ProduceError } from '../../src/client/produce-batch.ts'
import type { Offset } from '../../src/base/brand.ts'
import type { ObservedGroup } from '../../src/multiraft/observer.ts'
import { batchesIn } from '../../src/records/batch-header.ts'
import { recordsOf } from '../../src/records/read.ts'
import { StoreError } from '../../src/storage/store.ts'
import { makeProducer } from './producing.ts'
import { attempt, pause, type Client, type World } from './world.ts'

export const COMPACTED = 'latest'
const KEYS = 6
const VALUE_BYTES = 700
const READ_BYTES_MAX = 1 << 20
const PLAN = { acks: 'all', idempotent: true, codec: 'none', lingerMs: 0 } as const

/** Of each key the last write that was acknowledged. */
export interface Written {
  readonly offset: number
  /** Null: the key was deleted. */
  readonly value: string | null
}

export async function runKeeper(client: Client): Promise<void> {
  const { world, chance } = client
  if (!(await create(client))) return
  const producer = makeProducer(client, PLAN)
  const text = new TextEncoder()
  for (let serial = 0; world.phase === 'working' || world.phase === 'healed'; serial++) {
    // Keys fall out of use: only what nobody writes again can come back.
    const key = `key ${Math.floor(serial / 20) + chance.below(KEYS)}`
    const value = chance.chance(0.4) ? null : `${client.name} ${serial} `.padEnd(VALUE_BYTES, '.')
    try {
      const { offset } = await producer.send({
        topic: COMPACTED,
        partition: 0,
        key: text.encode(key),
        value: value === null ? null : text.encode(value),
      })
      const before = world.kept.get(key)
      if (before === undefined || before.offset < offset) world.kept.set(key, { offset, value })
      world.progressed(client)
    } catch (error) {
      if (!(error instanceof ProduceError)) throw error
      if (value === null) world.mayBeDeleted.add(key)
    }
    await pause(client, chance.between(5, 40))
  }
  await producer.close()
}

async function create(client: Client): Promise<boolean> {
  const { world, cluster, chance } = client
  const configs = {
    'cleanup.policy': 'compact',
    'segment.bytes': '4096',
    'min.cleanable.dirty.ratio': '0.01',
    'delete.retention.ms': chance.pick(['0', '0', '500']),
  }
  const replicationFactor = Math.min(3, world.plan.nodes)
  while (world.phase !== 'over') {
    await attempt(client, () =>
      createTopic(cluster, { name: COMPACTED, partitions: 1, replicationFactor, configs }),
    )
    const { value: topics } = await attempt(client, () => listTopics(cluster))
    const found = topics?.find(({ name }) => name === COMPACTED)
    if (found !== undefined) {
      world.compactedLog = `${found.topicId}-0`
      return true
    }
    await pause(client, 50)
  }
  return false
}

/** Reports what a replica of the compacted topic lacks, and what came back to it. */
export async function checkKept(world: World, node: number, group: ObservedGroup): Promise<void> {
  const newest = await newestOf(group)
  // Damage that was found in it may have had the log begin anew (law R5).
  if (group.raft.suspect || group.raft.commit.offset < world.invariants.committedOf(group.id)) {
    throw new StoreError('corrupt', 'it is not whole yet')
  }
  for (const [key, { offset, value }] of world.kept) {
    const found = newest.get(key)
    const fail = (name: string, text: string): void =>
      world.report({ name, where: `${COMPACTED} on node ${node}`, text: `${key}: ${text}` })
    if (found === undefined) {
      const gone = value === null || world.mayBeDeleted.has(key)
      if (!gone) fail('newest-lost', `offset ${offset} is not there`)
    } else if (found.offset < offset) {
      const name = value === null ? 'deleted-key-back' : 'newest-lost'
      fail(name, `offset ${found.offset} is the newest, and ${offset} was written after it`)
    } else if (found.offset === offset && found.value !== value) {
      fail('changed-bytes', `offset ${offset} holds something else`)
    }
  }
}

async function newestOf({ stored, raft }: ObservedGroup): Promise<Map<string, Written>> {
  const newest = new Map<string, Written>()
  const below = raft.commit.offset
  for (let from: Offset = stored.logStart; from < below;) {
    const { chunks, next } = await stored.read({ from, below, maxBytes: READ_BYTES_MAX })
    for (const chunk of chunks) {
      for (const at of batchesIn(chunk)) {
        for (const { key, value, offset } of recordsOf(chunk, at)) {
          const text = value === null ? null : Buffer.from(value).toString()
          newest.set(Buffer.from(key ?? []).toString(), { offset, value: text })
        }
      }
    }
    if (next <= from) break
    from = next
  }
  return newest
}
