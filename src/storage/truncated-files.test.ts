// What a truncation leaves on disk: a segment file ends where its log does, so that Kafka's tools, which know nothing of the
// journal, read no batch that was taken back.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asLogId, asOffset } from '../base/brand.ts'
import { Simulation } from '../env/sim/simulation.ts'
import { summarizeBatches } from '../records/batch-header.ts'
import { openStore } from './open-store.ts'
import { SMALL_LOG, SMALL_STORE, testBatch } from './testing/batches.ts'

test('a segment file is cut where its log is', async () => {
  const simulation = new Simulation(2)
  const env = simulation.host('node').boot()
  const settle = <T>(promise: Promise<T>): Promise<T> =>
    simulation.settle(promise, { withinMs: 60_000 })
  const store = await settle(openStore(env, { ...SMALL_STORE, directory: '/data' }))
  const log = store.create(asLogId('a'), { directory: 'a', config: SMALL_LOG })
  log.startEpoch(asLeaderEpoch(1))
  const sizes: number[] = []
  for (let i = 0; i < 3; i++) {
    const batch = testBatch({
      baseOffset: log.end.offset,
      epoch: log.end.epoch,
      count: 1,
      payloadBytes: SMALL_STORE.directBytesMin,
      timestampMs: 1000,
      seed: i,
    })
    sizes.push(batch.length)
    log.append(batch, summarizeBatches(batch))
    await settle(store.flush())
  }
  const directory = (await settle(env.disk.list('/data/logs')))[0]?.name
  const file = `/data/logs/${directory}/00000000000000000000.log`
  const written = await settle(env.disk.stat(file))
  assert.equal(written?.bytes, sizes[0]! + sizes[1]! + sizes[2]!)
  log.truncate({ epoch: log.end.epoch, offset: asOffset(1) })
  await settle(store.flush())
  await simulation.run({ untilMs: simulation.nowMs + 1000 })
  assert.equal((await settle(env.disk.stat(file)))?.bytes, sizes[0])
  await settle(store.close())
})
