// The whole topic read once more, by the project's client from the leaders and by librdkafka, both into the history.

import { Cluster } from '../../src/client/cluster.ts'
import { findOffsets } from '../../src/client/partition-offsets.ts'
import type { ClientEnv } from '../../src/client/client-env.ts'
import { runOk } from '../../test/compat/process.ts'
import path from 'node:path'
import type { ReadRecord } from '../history/history.ts'
import type { Recorder } from '../history/recorder.ts'
import { fetchRaw } from '../sim/reading.ts'
import { retrying } from '../../src/client/retrying.ts'
import { addressesOf } from './addresses.ts'

const READ_MS_MAX = 30_000

/** Returns how many records the topic holds. Throws when it can't be read. */
export async function readEverything(
  env: ClientEnv,
  recorder: Recorder,
  where: { readonly bootstrap: string; readonly topic: string; readonly partitions: number },
  options: { readonly librdkafka: boolean },
): Promise<number> {
  const { topic, bootstrap } = where
  const cluster = new Cluster(env, { bootstrap: addressesOf(bootstrap.split(',')) })
  const ends: number[] = []
  let count = 0
  try {
    const partitions = Array.from({ length: where.partitions }, (_, partition) => partition)
    const wanted = partitions.map((partition) => ({ topic, partition, at: 'end' as const }))
    for (const { offset } of await findOffsets(cluster, wanted, READ_MS_MAX)) ends.push(offset)
    for (const partition of partitions) {
      count += await readPartition(cluster, recorder, topic, partition, ends[partition] ?? 0)
    }
  } finally {
    cluster.close()
  }
  if (options.librdkafka) await readWithLibrdkafka(recorder, bootstrap, topic, ends)
  return count
}

async function readPartition(
  cluster: Cluster,
  recorder: Recorder,
  topic: string,
  partition: number,
  end: number,
): Promise<number> {
  const begun = recorder.begin('reader')
  const records: ReadRecord[] = []
  let [logStart, highWatermark] = [0, 0]
  for (let offset = 0; offset < end;) {
    const from = offset
    const found = await retrying(cluster, { timeoutMs: READ_MS_MAX }, async () => {
      try {
        return await fetchRaw(cluster, { topic, partition, offset: from })
      } catch (error) {
        await cluster.refresh([topic])
        throw error
      }
    })
    records.push(...found.records)
    ;({ logStart, highWatermark } = found)
    if (found.next === offset) {
      throw new Error(`${topic}-${partition} ends at ${end}, and nothing is read at ${offset}`)
    }
    offset = found.next
  }
  recorder.end(begun, { kind: 'final', topic, partition, logStart, highWatermark, records })
  return records.length
}

async function readWithLibrdkafka(
  recorder: Recorder,
  bootstrap: string,
  topic: string,
  ends: readonly number[],
): Promise<void> {
  const positions = ends.map((_, partition) => ({ topic, partition, from: 0 }))
  recorder.note('librdkafka-reader', { kind: 'assign', positions })
  const begun = recorder.begin('librdkafka-reader')
  const program = path.join(import.meta.dirname, 'clients', 'reader.py')
  const args = [program, bootstrap, topic, ...ends.map(String)]
  const { stdout } = await runOk('/usr/bin/python3', args, { timeoutMs: 90_000 })
  const records: ReadRecord[] = []
  for (const line of stdout.toString().split('\n')) {
    if (line === '') continue
    const [partition, offset, value = ''] = line.split(' ')
    records.push({ topic, partition: Number(partition), offset: Number(offset), value })
  }
  recorder.end(begun, { kind: 'poll', records })
}
