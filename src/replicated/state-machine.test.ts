// The pattern decide → replicate → apply over the double: what is answered, what is forgotten, and what replay gives.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { asLeaderEpoch, asNodeId, asOffset } from '../base/brand.ts'
import { stampBatches } from '../records/batch-header.ts'
import { buildBatch } from '../records/build.ts'
import { aloneIn, aloneOver } from './testing/alone.ts'
import { ReplicatedStateMachine, type StateDefinition } from './state-machine.ts'
import { ReplicatedLogDouble } from './testing/double.ts'
import { StoreError } from '../storage/store.ts'
import { MemoryStore } from './testing/memory-store.ts'
import { VirtualTime } from './testing/virtual-time.ts'
import { asLogId } from '../base/brand.ts'

/** A list of words; a word may be added once. */
interface Words {
  readonly words: readonly string[]
  readonly offset: number
}

const text = new TextDecoder()
const definition: StateDefinition<Words, string> = {
  initial: { words: [], offset: 0 },
  encode: (word) => ({ key: null, value: new TextEncoder().encode(word) }),
  decode: ({ value }) => text.decode(value ?? assert.fail('a record without a value')),
  apply: (state, added, next) => ({ words: [...state.words, ...added], offset: next }),
}

const add =
  (word: string) =>
  ({ words }: Words) =>
    words.includes(word) ? { changes: [], response: 'known' } : { changes: [word], response: 'new' }

function machineOver(log: ReplicatedLogDouble, time = new VirtualTime()) {
  const applied: string[] = []
  const machine = new ReplicatedStateMachine({
    log,
    definition,
    env: time,
    onApplied: (_, after) => applied.push(after.words.join(' ')),
  })
  machine.start()
  return { machine, applied, time }
}

const foreignBatch = (words: readonly string[], at: number, epoch: number): Uint8Array => {
  const records = words.map((word) => ({ ...definition.encode(word), timestampMs: 5 }))
  const batch = buildBatch(records)
  stampBatches(batch, asOffset(at), asLeaderEpoch(epoch))
  return batch
}

test('a response waits for the commit, and later commands see pending changes', async () => {
  const log = new ReplicatedLogDouble()
  log.autoCommit = false
  const { machine, applied, time } = machineOver(log)
  const answers: string[] = []
  const note = (name: string) => (outcome: { kind: string; response?: string }) =>
    answers.push(`${name} ${outcome.kind} ${outcome.response}`)
  const first = machine.submit(add('a')).then(note('first'))
  const duplicate = machine.submit(add('a')).then(note('duplicate'))
  await time.settle()
  assert.deepEqual([answers, machine.state.words], [[], []])
  log.commit()
  await Promise.all([first, duplicate])
  assert.deepEqual(answers, ['first done new', 'duplicate done known'])
  assert.deepEqual([machine.state, applied], [{ words: ['a'], offset: 1 }, ['a']])
})

test('pending changes are forgotten with leadership, and come back only through the log', async () => {
  const log = new ReplicatedLogDouble()
  log.autoCommit = false
  const { machine, time } = machineOver(log)
  const lost = machine.submit(add('lost'))
  log.loseLeadership()
  assert.deepEqual(await lost, { kind: 'unknown', reason: 'leadership-lost' })
  assert.deepEqual(await machine.submit(add('x')), { kind: 'rejected', reason: 'not-leader' })
  // The next leader kept it: now it counts, although its client never heard.
  log.replicate(foreignBatch(['theirs'], 1, 3), asLeaderEpoch(3))
  log.commit()
  await time.settle()
  assert.deepEqual(machine.state.words, ['lost', 'theirs'])
})

test('truncated changes never count, and their offsets are taken by others', async () => {
  const log = new ReplicatedLogDouble()
  log.autoCommit = false
  const { machine, time } = machineOver(log)
  void machine.submit(add('gone'))
  log.loseLeadership()
  log.truncate({ epoch: asLeaderEpoch(1), offset: asOffset(0) })
  log.replicate(foreignBatch(['theirs'], 0, 2), asLeaderEpoch(2))
  log.commit()
  await time.settle()
  assert.deepEqual(machine.state, { words: ['theirs'], offset: 1 })
  log.lead()
  await time.settle()
  log.autoCommit = true
  assert.deepEqual(await machine.submit(add('gone')), { kind: 'done', response: 'new' })
})

test('a new leader serves only after it applied through its own epoch start', async () => {
  const log = new ReplicatedLogDouble({ follower: true })
  log.replicate(foreignBatch(['a', 'b'], 0, 1), asLeaderEpoch(1))
  const { machine, time } = machineOver(log)
  log.lead({ established: false })
  assert.deepEqual(await machine.submit(add('a')), { kind: 'rejected', reason: 'loading' })
  log.commit()
  assert.equal(machine.serving, undefined)
  await time.settle()
  assert.equal(machine.serving, 2)
  assert.deepEqual(await machine.submit(add('a')), { kind: 'done', response: 'known' })
})

test('a damaged range is waited for where other replicas can heal it; alone, it ends the process', async () => {
  for (const voters of [[1, 2, 3], [1]]) {
    const log = new ReplicatedLogDouble()
    log.voters = voters.map(asNodeId)
    const { machine: writer, time } = machineOver(log)
    await writer.submit(add('a'))
    const read = log.read.bind(log)
    let damaged = true
    log.read = (request) => {
      if (damaged) throw new StoreError('corrupt', 'offset 0 is damaged')
      return read(request)
    }
    const deaths: string[] = []
    const host = { fatal: (message: string) => deaths.push(message) as never }
    const env = { clock: time.clock, timers: time.timers, host }
    const machine = new ReplicatedStateMachine({ log, definition, env })
    machine.start()
    await time.advance(1000)
    assert.deepEqual(machine.state.words, [])
    assert.equal(deaths.length, voters.length > 1 ? 0 : 1)
    damaged = false
    await time.advance(1000)
    assert.deepEqual(machine.state.words, voters.length > 1 ? ['a'] : [])
  }
})

test('a refused append changes nothing', async () => {
  const log = new ReplicatedLogDouble()
  const { machine } = machineOver(log)
  log.refuseWith = 'storage-full'
  assert.deepEqual(await machine.submit(add('a')), { kind: 'rejected', reason: 'storage-full' })
  log.refuseWith = undefined
  assert.deepEqual(await machine.submit(add('a')), { kind: 'done', response: 'new' })
  assert.deepEqual(machine.state.words, ['a'])
})

test('a read is answered only when leadership is confirmed', async () => {
  const log = new ReplicatedLogDouble()
  const { machine } = machineOver(log)
  assert.deepEqual(await machine.read(({ words }) => words.length), { kind: 'done', response: 0 })
  log.barrier = { kind: 'unknown', reason: 'quorum-lost' }
  assert.deepEqual(await machine.read(({ words }) => words.length), log.barrier)
  assert.deepEqual(await machine.submit(() => ({ changes: [], response: 1 })), log.barrier)
})

test('whatever the order of commits and elections, every answered command is in the replayed state', async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('add' as const), word: fc.nat(9) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('commit' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('election' as const), keep: fc.boolean() }),
    },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const log = new ReplicatedLogDouble()
      log.autoCommit = false
      const { machine, time } = machineOver(log)
      const answered: string[] = []
      for (const one of steps) {
        if (one.kind === 'add') {
          const word = String(one.word)
          void machine
            .submit(add(word))
            .then((outcome) => outcome.kind === 'done' && answered.push(word))
        } else if (one.kind === 'commit') {
          log.commit()
        } else {
          log.loseLeadership()
          if (!one.keep) log.truncate({ epoch: log.epochs.last, offset: log.highWatermark })
          log.lead()
        }
        await time.settle()
      }
      const { machine: replayed, time: later } = machineOver(log)
      await later.settle()
      assert.deepEqual(replayed.state, machine.state)
      assert.equal(new Set(replayed.state.words).size, replayed.state.words.length)
      for (const word of answered) assert.ok(replayed.state.words.includes(word))
    }),
    { numRuns: 60 },
  )
})

test('over the group of one voter, a restart replays what was answered', async () => {
  const store = new MemoryStore()
  const spec = {
    id: asLogId('words-0'),
    directory: 'words-0',
    config: { segmentBytes: 1 << 20, segmentMs: 1000, indexIntervalBytes: 4096 },
    voters: aloneIn(store),
  }
  const open = async () => {
    const time = new VirtualTime()
    const host = aloneOver(store, { time })
    const log = await host.open(spec)
    const machine = new ReplicatedStateMachine({ log, definition, env: time })
    machine.start()
    await time.settle()
    return machine
  }
  const first = await open()
  for (const word of ['a', 'b', 'a']) await first.submit(add(word))
  store.crash()
  const second = await open()
  assert.deepEqual(second.state, first.state)
  assert.deepEqual(await second.submit(add('b')), { kind: 'done', response: 'known' })
})

test('what others append in between is applied in its place, before anything is answered', async () => {
  const log = new ReplicatedLogDouble()
  log.autoCommit = false
  const { machine, time } = machineOver(log)
  const answers: string[] = []
  const submit = (word: string) =>
    machine
      .submit(add(word))
      .then(({ kind }) => answers.push(`${word} ${kind} ${machine.state.words.join('')}`))
  void submit('a')
  log.append(buildBatch([{ ...definition.encode('x'), timestampMs: 0 }]))
  void submit('b')
  void submit('c')
  log.commit(asOffset(3))
  await time.settle()
  log.commit()
  await time.settle()
  assert.deepEqual(answers, ['a done axb', 'b done axb', 'c done axbc'])
  void submit('d')
  log.commit()
  assert.deepEqual(machine.state.words, ['a', 'x', 'b', 'c', 'd'])
})

const SNAPSHOTS = {
  every: { records: 3, bytes: 1_000_000 },
  encode: ({ words }: Words) => new TextEncoder().encode(words.join(' ')),
  decode: (bytes: Uint8Array, offset: number): Words => ({
    words: text.decode(bytes).split(' '),
    offset,
  }),
}

function keptMachine(log: ReplicatedLogDouble, time = new VirtualTime()) {
  const restored: string[] = []
  const deaths: string[] = []
  const host = { fatal: (message: string) => deaths.push(message) as never }
  const applied: string[] = []
  const machine = new ReplicatedStateMachine({
    log,
    definition: { ...definition, snapshots: SNAPSHOTS },
    env: { clock: time.clock, timers: time.timers, host },
    onApplied: (_, after) => applied.push(after.words.at(-1) ?? ''),
    onRestored: (_, after) => restored.push(after.words.join(' ')),
  })
  machine.start()
  return { machine, time, restored, applied, deaths }
}

async function addAll(
  { machine, time }: ReturnType<typeof keptMachine>,
  words: readonly string[],
): Promise<void> {
  for (const word of words) {
    const added = machine.submit(add(word))
    await time.settle()
    assert.equal((await added).kind, 'done')
  }
}

test('a state with snapshots: the log starts at the older of two, and a start begins with the newest', async () => {
  const log = new ReplicatedLogDouble()
  const first = keptMachine(log)
  await first.time.settle()
  await addAll(first, ['a', 'b', 'c', 'd', 'e', 'f', 'g'])
  await first.time.settle()
  assert.equal(log.logStart, 3)
  first.machine.close()
  const second = keptMachine(log)
  await second.time.settle()
  assert.deepEqual(second.restored, ['a b c d e f'])
  assert.deepEqual(second.applied, ['g'])
  assert.deepEqual(second.machine.state, { words: 'abcdefg'.split(''), offset: 7 })
  await addAll(second, ['h', 'i'])
  await second.time.settle()
  // The snapshot that it began with is the older one now; what was applied since is counted.
  assert.equal(log.logStart, 6)
})

test('a damaged snapshot: the older one and the log give the same; without any, the state can not be had', async () => {
  const log = new ReplicatedLogDouble()
  const first = keptMachine(log)
  await first.time.settle()
  await addAll(first, ['a', 'b', 'c', 'd', 'e', 'f', 'g'])
  first.machine.close()
  const { survey } = log.snapshots
  const damaged = new Set([6])
  log.snapshots.survey = async () => {
    const found = await survey()
    return { ...found, read: async (at) => (damaged.has(at.offset) ? undefined : found.read(at)) }
  }
  const second = keptMachine(log)
  await second.time.settle()
  assert.deepEqual(second.restored, ['a b c'])
  assert.deepEqual(second.machine.state.words, 'abcdefg'.split(''))
  second.machine.close()
  damaged.add(3)
  const third = keptMachine(log)
  await third.time.settle()
  assert.deepEqual(third.deaths, ["the log double-0 can't be followed from 0"])
  assert.deepEqual(third.machine.state.words, [])
  assert.equal(third.machine.serving, undefined)
})

test('before the log start moves, each replica has a snapshot of its own past it', async () => {
  const log = new ReplicatedLogDouble()
  const kept = keptMachine(log)
  await kept.time.settle()
  await addAll(kept, ['a', 'b'])
  const before = log.beforeLogStart(asOffset(2))
  assert.ok(before !== undefined)
  await kept.time.settle()
  await before
  assert.equal((await log.snapshots.latest(asOffset(9)))?.at.offset, 2)
  assert.equal(log.beforeLogStart(asOffset(2)), undefined)
})
