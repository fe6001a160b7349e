// A damaged replica and its leader, call by call: what is asked for, what is answered, and when it is given up (law R5).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asNodeId, asOffset } from '../base/brand.ts'
import type { Logger, Timers } from '../env/env.ts'
import { Writer } from '../protocol/writer.ts'
import { StoreError } from '../storage/store.ts'
import { CallError, type CallHandler } from './calls.ts'
import { Healing } from './healing.ts'
import { CallMethod } from './methods.ts'
import { at, oneRecord } from './testing/fake-log.ts'
import { LoneGroup } from './testing/lone-group.ts'

/** What is settled goes on, and what comes of it. */
async function turn(): Promise<void> {
  for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve))
}

/** Of an answer, before its batches. */
const HEAD_BYTES = 9

/** One node with one replica that may be sick; who leads is asked by `call`. */
class Ward {
  readonly group: LoneGroup
  readonly healing: Healing
  /** The replica that the node has under the group's id. */
  present: LoneGroup | undefined
  /** `from to` of what was asked, and whom. */
  readonly asked: string[] = []
  answer: (body: Uint8Array) => Promise<Uint8Array> = () => Promise.resolve(new Uint8Array())
  /** With every answer. */
  tombstonesRemovedBelow = 0
  spared = false
  snapshotAnswer: () => Promise<Uint8Array> = () => Promise.resolve(new Uint8Array())
  handedOver = 0
  readonly said: string[] = []
  readonly timers = new Set<() => void>()
  readonly handlers = new Map<number, CallHandler>()

  constructor(group: LoneGroup) {
    this.group = group
    this.present = group
    const timers: Timers = {
      after: (_, callback) => {
        this.timers.add(callback)
        return { cancel: () => void this.timers.delete(callback) }
      },
      soon: () => assert.fail('nothing is soon'),
    }
    const say = (message: string): void => void this.said.push(message)
    const log: Logger = { debug: say, info: say, warn: say, error: say, child: () => log }
    this.healing = new Healing({
      env: { timers, log },
      calls: {
        handle: (method, handler) => void this.handlers.set(method, handler),
        call: (to, method, body) => {
          if (method === CallMethod.SNAPSHOT) return this.#snapshotAsked(to)
          const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
          const [from, until] = [
            view.getBigInt64(body.length - 16),
            view.getBigInt64(body.length - 8),
          ]
          this.asked.push(`${from} to ${until} of ${to}`)
          return this.answer(body).then((bytes) => Buffer.concat([this.#head(), bytes]))
        },
      },
      groupOf: () => this.present?.group,
      handOver: () => this.handedOver++,
    })
  }

  #head(): Uint8Array {
    const writer = new Writer(16)
    writer.int64(this.tombstonesRemovedBelow)
    writer.int8(this.spared ? 1 : 0)
    return Buffer.concat(writer.finish())
  }

  #snapshotAsked(to: number): Promise<Uint8Array> {
    this.asked.push(`snapshot of ${to}`)
    return this.snapshotAnswer()
  }

  /** The time to try again has come. */
  async retry(): Promise<void> {
    for (const callback of [...this.timers]) {
      this.timers.delete(callback)
      callback()
    }
    await turn()
  }

  async heal(): Promise<void> {
    this.healing.heal(this.group.group)
    await turn()
  }

  /** How many bytes come, if any. */
  async serve(from: number, to: number, more = 0): Promise<number[]> {
    const { length } = await this.#answerTo(from, to, more)
    return length === HEAD_BYTES ? [] : [length]
  }

  /** Below what tombstones are gone, and whether node 3 can be spared. */
  async head(): Promise<number[]> {
    const answer = Buffer.from(await this.#answerTo(10, 11, 0))
    return [Number(answer.readBigInt64BE()), answer[8]!]
  }

  async askForSnapshot(from: number): Promise<void> {
    const writer = new Writer(64)
    writer.string(this.group.group.id, false)
    const body = Buffer.concat(writer.finish())
    await this.handlers.get(CallMethod.SNAPSHOT)!(asNodeId(from), body)
  }

  #answerTo(from: number, to: number, more: number): Promise<Uint8Array> {
    const writer = new Writer(64)
    writer.string(this.group.group.id, false)
    writer.int64(from)
    writer.int64(to)
    for (let i = 0; i < more; i++) writer.int8(0)
    const body = Buffer.concat(writer.finish())
    return this.handlers.get(CallMethod.FETCH_RANGE)!(asNodeId(3), body)
  }
}

/** Follows node 2, with bytes 2 to 4 damaged. */
function sick(): Ward {
  const group = new LoneGroup()
  group.append()
  group.log.damaged(2, 4)
  group.takeTrace()
  return new Ward(group)
}

/** Leads, established, all of it on the disk, six small records and three that are too large for one answer. */
function leading(): Ward {
  const group = new LoneGroup().established()
  for (let i = 0; i < 3; i++) group.write(150 * 1024)
  group.log.memoryStart = group.log.end.offset
  group.takeTrace()
  return new Ward(group)
}

const records = (...offsets: number[]): Promise<Uint8Array> =>
  Promise.resolve(Buffer.concat(offsets.map((offset) => oneRecord(1, offset))))

// Healing

test('a damaged replica fetches the range from its leader, as often as it takes, and is whole', async () => {
  const ward = sick()
  const answers = [records(2), records(3)]
  ward.answer = () => answers.shift()!
  await ward.heal()
  assert.deepEqual(ward.asked, ['2 to 4 of 2', '3 to 4 of 2'])
  assert.equal(ward.group.log.damage, undefined)
  assert.deepEqual(ward.timers.size, 0)
  assert.equal(ward.said.at(-1), 'a damaged replica is whole again')
  assert.ok(ward.group.takeTrace().includes('dirty'))
})

test('healing begins once, however often damage is told, and again for damage after it', async () => {
  const ward = sick()
  const answered = Promise.withResolvers<Uint8Array>()
  ward.answer = () => answered.promise
  await ward.heal()
  await ward.heal()
  assert.equal(ward.asked.length, 1)
  answered.resolve(await records(2, 3))
  await turn()
  ward.group.log.damaged(1, 2)
  ward.answer = () => records(1)
  await ward.heal()
  assert.deepEqual(ward.asked, ['2 to 4 of 2', '1 to 2 of 2'])
  assert.equal(ward.group.log.damage, undefined)
})

test('what lies below the log start is not asked for: the leader has none of it', async () => {
  const ward = sick()
  ward.group.log.logStart = asOffset(3)
  ward.answer = () => records(3)
  await ward.heal()
  assert.deepEqual(ward.asked, ['3 to 4 of 2'])
})

test('without a leader elsewhere it waits; a damaged leader hands over and asks nobody', async () => {
  const ward = sick()
  ward.answer = () => records(2, 3)
  ward.group.goesDown(2)
  await ward.heal()
  assert.deepEqual(ward.asked, [])
  ward.group.comesUp(2)
  ward.group.append()
  await ward.retry()
  assert.deepEqual(ward.asked, ['2 to 4 of 2'])
  const leader = leading()
  leader.group.log.damaged(2, 4)
  await leader.heal()
  await leader.retry()
  assert.deepEqual([leader.asked, leader.handedOver], [[], 2])
})

const FRUITLESS: Readonly<Record<string, (ward: Ward) => void>> = {
  'the leader is not sure of it': (ward) => (ward.answer = () => Promise.resolve(new Uint8Array())),
  'the call fails': (ward) => (ward.answer = () => Promise.reject(new Error('gone'))),
  'the log is changed meanwhile': (ward) => (ward.group.log.changesOnRepair = 1),
}
for (const [what, happens] of Object.entries(FRUITLESS)) {
  test(`it is tried again after a while where ${what}`, async () => {
    const ward = sick()
    ward.answer = () => records(2, 3)
    happens(ward)
    await ward.heal()
    assert.deepEqual(ward.asked, ['2 to 4 of 2'])
    assert.equal(ward.group.log.damage?.from, 2)
    assert.ok(!ward.said.includes('a damaged replica is whole again'))
    ward.answer = () => records(2, 3)
    await ward.retry()
    assert.equal(ward.asked.length, 2)
    assert.equal(ward.group.log.damage, undefined)
  })
}

test('nothing is repaired with an answer of nothing', async () => {
  const ward = sick()
  await ward.heal()
  assert.ok(!ward.group.trace.some((line) => line.startsWith('repair')))
  assert.deepEqual(ward.said, ['bytes of a replica are damaged and will be fetched again'])
})

const ENDS: Readonly<Record<string, (ward: Ward) => void>> = {
  'the node ends': (ward) => ward.healing.close(),
  'the group is gone': (ward) => (ward.present = undefined),
  'another replica is in its place': (ward) => (ward.present = new LoneGroup()),
}
for (const [what, happens] of Object.entries(ENDS)) {
  test(`healing ends where ${what}, with an answer on its way`, async () => {
    const ward = sick()
    const answered = Promise.withResolvers<Uint8Array>()
    ward.answer = () => answered.promise
    await ward.heal()
    happens(ward)
    answered.resolve(await records(2, 3))
    await turn()
    await ward.retry()
    await ward.retry()
    assert.equal(ward.asked.length, 1)
    assert.equal(ward.group.log.damage?.from, 2)
    assert.ok(!ward.said.includes('a damaged replica is whole again'))
  })
}

test('a node that ends begins no healing', async () => {
  const ward = sick()
  ward.healing.close()
  await ward.heal()
  assert.deepEqual([ward.asked, ward.said], [[], []])
})

test('a sole replica has nobody to ask', async () => {
  const ward = new Ward(new LoneGroup({ voters: 1, up: [], damage: [2, 4] }))
  await ward.heal()
  assert.deepEqual([ward.handedOver, ward.timers.size], [0, 0])
  assert.deepEqual(ward.said, ['bytes of the only replica are damaged'])
})

test('R10: a range that tombstones are gone from, there or here, is not patched: the log begins anew, if it can be spared', async () => {
  const there = sick()
  there.answer = () => records(2, 3)
  there.tombstonesRemovedBelow = 3
  await there.heal()
  assert.equal(there.group.log.damage?.from, 2)
  there.spared = true
  await there.retry()
  assert.deepEqual([there.group.raft.suspect, there.group.log.end.offset], [true, 0])
  const here = sick()
  here.answer = () => records(2, 3)
  here.spared = true
  here.group.log.tombstonesRemovedBelow = asOffset(5)
  await here.heal()
  assert.ok(here.group.raft.suspect)
})

test('R10: tombstones that are gone below the damage there, and up to it here, are no matter', async () => {
  const ward = sick()
  ward.answer = () => records(2, 3)
  ward.spared = true
  ward.tombstonesRemovedBelow = 2
  ward.group.log.tombstonesRemovedBelow = asOffset(4)
  await ward.heal()
  assert.equal(ward.group.log.damage, undefined)
  assert.ok(!ward.group.raft.suspect)
})

test('a replica without its snapshot asks its leader for it, and again after a while', async () => {
  const group = new LoneGroup()
  const ward = new Ward(group)
  assert.ok(group.group.needSnapshot())
  await ward.heal()
  assert.deepEqual([ward.asked, ward.timers.size], [[], 1])
  group.append()
  await ward.retry()
  assert.deepEqual(ward.asked, ['snapshot of 2'])
  ward.snapshotAnswer = () => Promise.reject(new CallError('gone'))
  await ward.retry()
  assert.deepEqual(ward.asked, ['snapshot of 2', 'snapshot of 2'])
  assert.equal(ward.timers.size, 1)
})

// Serving

test('a leader gives what it was asked for, as much as one answer holds', async () => {
  const ward = leading()
  const serving = ward.serve(6, 9)
  ward.group.log.answerRead()
  const [bytes] = await serving
  assert.ok(bytes !== undefined && bytes > 150 * 1024 && bytes < 256 * 1024)
})

test('who does not lead, or does not have all of it, gives nothing', async () => {
  const ward = leading()
  assert.deepEqual(await ward.serve(6, 10), [])
  assert.equal(ward.group.log.reads.length, 0)
  ward.group.log.logStart = asOffset(3)
  assert.deepEqual(await ward.serve(2, 4), [])
  const follower = sick()
  follower.group.log.damage = undefined
  assert.deepEqual(await follower.serve(1, 2), [])
  follower.present = undefined
  assert.deepEqual(await follower.serve(1, 2), [])
})

test('a leader whose own bytes are damaged gives nothing; whatever else fails is an error', async () => {
  const ward = leading()
  const corrupt = ward.serve(6, 9)
  ward.group.log.failRead(new StoreError('corrupt', 'a wrong CRC'))
  assert.deepEqual(await corrupt, [])
  const broken = ward.serve(6, 9)
  ward.group.log.failRead(new Error('broken'))
  await assert.rejects(broken, /broken/)
})

test('an answer says what tombstones are gone, and whether the replica can be spared', async () => {
  const ward = leading()
  ward.group.log.tombstonesRemovedBelow = asOffset(5)
  ward.group.ack(2)
  const said = (): Promise<number[]> => ward.head()
  assert.deepEqual(await said(), [5, 1])
  ward.group.goesDown(2)
  assert.deepEqual(await said(), [5, 0])
  ward.present = undefined
  assert.deepEqual(await said(), [0, 0])
})

test('a snapshot is sent to the voter that asks for it', async () => {
  const ward = leading()
  ward.group.takeTrace()
  await ward.askForSnapshot(9)
  assert.deepEqual(ward.group.takeTrace(), [])
  await ward.askForSnapshot(3)
  assert.deepEqual(ward.group.takeTrace(), ['dirty'])
  ward.present = undefined
  await ward.askForSnapshot(3)
  assert.deepEqual(ward.group.takeTrace(), [])
})

test('a request for no range is refused', async () => {
  const ward = leading()
  await assert.rejects(ward.serve(-1, 4), /a range from -1 to 4/)
  await assert.rejects(ward.serve(4, 4), /a range from 4 to 4/)
  await assert.rejects(ward.serve(1, 4, 1), /a range from 1 to 4/)
})

// What a damaged replica acknowledges

test('damage of what is not durable yet takes nothing from what is', () => {
  const group = new LoneGroup()
  group.append({}, [oneRecord(2, 6)])
  group.log.durable = at(2, 6)
  group.log.durableHardState = group.log.hardState
  group.takeSent()
  group.log.damaged(6, 7)
  const [ack] = group.takeSent()
  assert.ok(ack?.message.kind === 'ack')
  assert.deepEqual(ack.message.durable, at(2, 6))
})
