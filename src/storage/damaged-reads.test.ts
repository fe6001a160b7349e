// A batch's base offset, leader epoch and magic lie outside its CRC: a flipped bit there must not make a reader skip or
// rename records (law R5).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asLogId, asOffset } from '../base/brand.ts'
import { Simulation } from '../env/sim/simulation.ts'
import { summarizeBatches } from '../records/batch-header.ts'
import { openStore } from './open-store.ts'
import { StoreError } from './store.ts'
import { SMALL_LOG, SMALL_STORE, testBatch } from './testing/batches.ts'

const BATCHES = 5
/** The last byte of each. */
const FIELDS = [
  ['base offset', 7],
  ['leader epoch', 15],
  ['magic', 16],
] as const

for (const [field, byteAt] of FIELDS) {
  for (const [flipped, bit] of [0, 2, BATCHES - 1].flatMap((batch) =>
    [1, 2, 4, 64].map((bit) => [batch, bit] as const),
  )) {
    test(`a wrong ${field} is damage: bit ${bit} of batch ${flipped}`, async () => {
      const simulation = new Simulation(3)
      const env = simulation.host('node').boot()
      const settle = <T>(promise: Promise<T>): Promise<T> =>
        simulation.settle(promise, { withinMs: 60_000 })
      const options = { ...SMALL_STORE, directory: '/data', tailCacheBytes: 1 }
      const store = await settle(openStore(env, options))
      const log = store.create(asLogId('a'), { directory: 'a', config: SMALL_LOG })
      log.startEpoch(asLeaderEpoch(1))
      const starts: number[] = []
      let bytes = 0
      for (let i = 0; i < BATCHES; i++) {
        const batch = testBatch({
          baseOffset: log.end.offset,
          epoch: log.end.epoch,
          count: 3,
          payloadBytes: SMALL_STORE.directBytesMin,
          timestampMs: 1000 + i,
          seed: i,
        })
        starts.push(bytes)
        bytes += batch.length
        log.append(batch, summarizeBatches(batch))
        await settle(store.flush())
      }
      const directory = (await settle(env.disk.list('/data/logs')))[0]?.name
      const file = await settle(
        env.disk.open(`/data/logs/${directory}/00000000000000000000.log`, 'write'),
      )
      const at = starts[flipped]! + byteAt
      const byte = new Uint8Array(1)
      await settle(file.read(byte, at))
      await settle(file.write([Uint8Array.of(byte[0]! ^ bit)], at))
      await settle(file.close())
      for (let from = flipped * 3; from < flipped * 3 + 3; from++) {
        const read = async () => {
          for (let next = asOffset(from); next < log.end.offset;) {
            ;({ next } = await log.read({ from: next, below: log.end.offset, maxBytes: 1 }))
          }
        }
        await assert.rejects(
          settle(read()),
          (error) => error instanceof StoreError && error.code === 'corrupt',
        )
      }
      await settle(store.close())
    })
  }
}
