// An idempotent producer that sends, is cut off, and sends again what it has no answer for, while its partition changes
// leaders, restarts and deletes: every batch is in the log once, in order, where its answer said.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { asOffset } from '../base/brand.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { batchesIn } from '../records/batch-header.ts'
import { recordsOf } from '../records/read.ts'
import { BATCHES_PER_PRODUCER } from './producer-state.ts'
import type { Partition } from './partition.ts'
import { batchOf, fixture, request } from './testing/fixture.ts'

const STEPS = [
  'send',
  'send',
  'send',
  'again',
  'again',
  'written',
  'written',
  'cut-off',
  'taken-over',
  'restarted',
  'deleted',
  'too-few',
] as const
type Step = (typeof STEPS)[number]

const PASSING: ReadonlySet<number> = new Set([
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.NOT_ENOUGH_REPLICAS,
])

/** A batch that was not acknowledged yet. */
interface Sent {
  readonly sequence: number
  state: 'waits' | 'failed'
}

async function turn(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}

class Producer {
  readonly log = fixture().log
  partition: Partition = fixture({ log: this.log }).partition
  readonly #unanswered: Sent[] = []
  #next = 0
  #inSyncReplicas = 1
  /** The connection, and nothing was sent again on it. */
  #isNew = false

  async take(step: Step): Promise<void> {
    const { log } = this
    switch (step) {
      case 'send': {
        // The answer to an earlier one takes its time, and so this one may follow a failure; not on a new connection.
        if (this.#isNew && this.#unanswered.some(({ state }) => state === 'failed')) break
        if (this.#unanswered.length === BATCHES_PER_PRODUCER) break
        const sent: Sent = { sequence: this.#next++, state: 'failed' }
        this.#unanswered.push(sent)
        this.#send(sent)
        break
      }
      case 'again':
        if (this.#unanswered.some(({ state }) => state === 'waits')) break
        this.#isNew = false
        for (const sent of this.#unanswered) this.#send(sent)
        break
      case 'written':
        log.commit()
        break
      case 'cut-off': {
        const offset = log.highWatermark
        log.loseLeadership()
        log.truncate({ epoch: log.epochs.epochAt(offset), offset })
        log.lead()
        break
      }
      case 'taken-over':
        log.loseLeadership()
        log.lead({ established: false })
        break
      case 'restarted':
        log.loseLeadership()
        this.partition.close()
        this.partition = fixture({ log }).partition
        log.lead()
        this.#isNew = true
        return turn()
      case 'too-few':
        this.#inSyncReplicas = 1 - this.#inSyncReplicas
        break
      case 'deleted':
        void this.partition.deleteRecords(-1)
        break
    }
  }

  #send(sent: Sent): void {
    const producer = { producerId: 5, producerEpoch: 0, baseSequence: sent.sequence }
    const batch = request(batchOf([String(sent.sequence)], { producer }))
    const result = this.partition.produce({ ...batch, inSyncReplicas: this.#inSyncReplicas })
    if (result.kind === 'refused') {
      // What was sent before the answer to an earlier one came.
      const early =
        this.#unanswered[0] !== sent && result.error === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
      assert.ok(early || PASSING.has(result.error), `${result.error}: ${result.message}`)
      sent.state = 'failed'
      return
    }
    sent.state = 'waits'
    // Nobody else writes here.
    assert.equal(result.baseOffset, sent.sequence)
    void result.completed.then((error) => {
      if (error === ErrorCode.NONE) this.#unanswered.splice(this.#unanswered.indexOf(sent), 1)
      else sent.state = 'failed'
    })
  }

  async end(): Promise<number> {
    this.#inSyncReplicas = 1
    await turn()
    for (let tries = 0; this.#unanswered.length > 0; tries++) {
      assert.ok(tries < 10, 'it is never answered')
      this.log.commit()
      await turn()
      await this.take('again')
      await turn()
    }
    return this.#next
  }
}

/** With time for what follows from it, or without. */
const step = fc.tuple(fc.constantFrom(...STEPS), fc.boolean())

test('what an idempotent producer sends is there once, in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const producer = new Producer()
      producer.log.autoCommit = false
      for (const [each, paused] of steps) {
        await producer.take(each)
        if (paused) await turn()
      }
      const sent = await producer.end()
      const { log } = producer
      assert.equal(log.highWatermark, sent)
      const { chunks } = log.read({ from: log.logStart, below: asOffset(sent), maxBytes: 1e6 })
      for (const chunk of chunks) {
        for (const at of batchesIn(chunk)) {
          for (const { offset, value } of recordsOf(chunk, at)) {
            assert.equal(Buffer.from(value ?? []).toString(), String(offset))
          }
        }
      }
    }),
    { numRuns: 100 },
  )
})
