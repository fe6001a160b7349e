// The journal's writer: nobody is told that a frame is durable before its sync returned.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asNodeId } from '../base/brand.ts'
import { Simulation } from '../env/sim/simulation.ts'
import { JournalSlots } from './journal-slots.ts'
import { JournalWriter } from './journal-writer.ts'

test('who waits for a frame waits for its sync', async () => {
  const simulation = new Simulation(1)
  const host = simulation.host('node')
  const env = host.boot()
  await simulation.settle(env.disk.makeDirectory('/journal'))
  const slots = new JournalSlots(env.disk, '/journal', {
    fileBytes: 8192,
    firstFileBytes: 8192,
    bytesMax: 65_536,
  })
  await simulation.settle(slots.addSpare(8192))
  await simulation.settle(slots.addSpare(8192))
  const writer = new JournalWriter(slots, env.host, {
    generation: { number: 1, salt: 7 },
    nextLsn: 1,
  })
  const frame = writer.frame()
  const hardState = { term: 3, votedFor: asNodeId(1), suspect: false }
  frame.add({ type: 'hard-state', incarnation: 1, hardState })
  host.stallDisk(1000)
  const committed = writer.commit(frame)
  let told = false
  const waiting = writer.whenDurable(1).then(() => (told = true))
  await simulation.run({ untilMs: simulation.nowMs + 500 })
  assert.equal(told, false)
  assert.equal(writer.durableLsn, 0)
  await simulation.settle(committed)
  await simulation.settle(waiting)
  assert.equal(writer.durableLsn, 1)
  await simulation.settle(writer.whenDurable(1))
})
