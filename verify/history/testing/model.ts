// Histories of a log that does everything right, for tests: random clients against a list per partition, with operations
// that overlap, fail, or stay indeterminate.

import { Prng } from '../../../src/env/sim/prng.ts'
import type { History, Outcome, ReadRecord, SentRecord } from '../history.ts'
import { Recorder, type Begun } from '../recorder.ts'

interface Batch {
  readonly offset: number
  readonly count: number
}

interface Log {
  readonly topic: string
  readonly partition: number
  readonly records: ReadRecord[]
  readonly batches: Batch[]
  logStart: number
}

interface Producer {
  readonly name: string
  readonly idempotent: boolean
  readonly acks: 'all' | 1 | 0
  sent: number
}

interface Reader {
  readonly name: string
  readonly group: string | undefined
  readonly next: Map<Log, number>
}

export interface ModelOptions {
  readonly steps: number
  readonly partitions: number
}

/** One correct cluster and its clients; `run` makes a history. */
export class Model {
  readonly #chance: Prng
  readonly #recorder: Recorder
  readonly #logs: Log[]
  readonly #producers: Producer[]
  readonly #readers: Reader[]
  readonly #committed = new Map<Log, number>()
  readonly #setting = { value: 'a' }
  #identities = 0
  #step = 0
  /** Operations that were asked for: `apply` does them, `finish` answers. */
  readonly #open: (() => void)[] = []

  constructor(seed: number, { partitions }: ModelOptions) {
    this.#chance = new Prng(`model ${seed}`)
    this.#recorder = new Recorder(() => this.#step)
    this.#logs = Array.from({ length: partitions }, (_, partition) => ({
      topic: 'orders#1',
      partition,
      records: [],
      batches: [],
      logStart: 0,
    }))
    this.#producers = [
      { name: 'producer-1', idempotent: true, acks: 'all', sent: 0 },
      { name: 'producer-2', idempotent: false, acks: 1, sent: 0 },
      { name: 'producer-3', idempotent: false, acks: 0, sent: 0 },
    ]
    this.#readers = [
      { name: 'reader-1', group: undefined, next: new Map() },
      { name: 'reader-2', group: undefined, next: new Map() },
      { name: 'member-1', group: 'workers', next: new Map() },
    ]
  }

  static history(seed: number, options: ModelOptions = { steps: 150, partitions: 2 }): History {
    return new Model(seed, options).#run(options.steps)
  }

  #run(steps: number): History {
    this.#recorder.note('admin', {
      kind: 'write',
      register: 'topic orders',
      value: 'there',
      retried: false,
      outcome: 'ok',
    })
    for (; this.#step < steps; this.#step++) {
      if (this.#open.length > 0 && this.#chance.chance(0.5)) this.#finishOne()
      else this.#act()
    }
    while (this.#open.length > 0) this.#finishOne()
    this.#settle()
    return this.#recorder.history()
  }

  #finishOne(): void {
    const at = this.#chance.below(this.#open.length)
    this.#open.splice(at, 1)[0]?.()
  }

  #act(): void {
    const draw = this.#chance.float()
    if (draw < 0.45) this.#produce(this.#chance.pick(this.#producers))
    else if (draw < 0.75) this.#poll(this.#chance.pick(this.#readers))
    else if (draw < 0.8) this.#assign()
    else if (draw < 0.86) this.#commit()
    else if (draw < 0.9) this.#fetchCommitted()
    else if (draw < 0.92) this.#trim()
    else if (draw < 0.94) this.#end()
    else if (draw < 0.97) this.#bytes()
    else this.#others()
  }

  #produce(producer: Producer): void {
    const log = this.#chance.pick(this.#logs)
    const { topic, partition } = log
    const count = this.#chance.between(1, 3)
    const sent: SentRecord[] = Array.from({ length: count }, () => {
      const value = `${producer.name} ${producer.sent++}`
      return { topic, partition, value, crc: value.length, outcome: 'indeterminate', offset: -1 }
    })
    const { acks, idempotent } = producer
    const common = { kind: 'produce', acks, idempotent, ordered: idempotent } as const
    const begun = this.#recorder.begin(producer.name, { ...common, records: sent })
    const outcome = this.#outcome()
    const times = outcome === 'fail' ? 0 : outcome === 'ok' ? 1 : this.#chance.below(2)
    const again = !idempotent && times > 0 && this.#chance.chance(0.2) ? 1 : 0
    let base = -1
    for (let i = 0; i < times + again; i++) base = this.#write(log, sent, acks === 0 ? -1 : 1)
    const answer = (): void => {
      const known = outcome === 'ok' && acks !== 0
      const records = sent.map((r, i) => ({ ...r, outcome, offset: known ? base + i : -1 }))
      this.#recorder.end(begun, { ...common, records })
    }
    // Which of several completed first says nothing about their offsets; that they were answered does.
    if (outcome !== 'indeterminate' || this.#chance.chance(0.5)) this.#open.push(answer)
  }

  #write(log: Log, sent: readonly SentRecord[], producerId: number): number {
    const base = log.records.length
    const { topic, partition } = log
    sent.forEach(({ value }, i) =>
      log.records.push({
        topic,
        partition,
        value,
        crc: value.length,
        offset: base + i,
        producerId: producerId < 0 ? -1 : this.#idOf(value),
      }),
    )
    log.batches.push({ offset: base, count: sent.length })
    return base
  }

  #idOf(value: string): number {
    return value.startsWith('producer-1') ? 1000 : -1
  }

  #outcome(): Outcome {
    return this.#chance.chance(0.8) ? 'ok' : this.#chance.chance(0.5) ? 'fail' : 'indeterminate'
  }

  #poll(reader: Reader): void {
    const begun = this.#recorder.begin(reader.name)
    const records: ReadRecord[] = []
    for (const log of this.#logs) {
      const next = reader.next.get(log)
      if (next === undefined && reader.group === undefined) continue
      const from = Math.max(next ?? this.#committed.get(log) ?? 0, log.logStart)
      const got = log.records.slice(from, from + this.#chance.below(4))
      records.push(...got)
      reader.next.set(log, from + got.length)
    }
    const { group } = reader
    this.#recorder.end(begun, { kind: 'poll', records, ...(group === undefined ? {} : { group }) })
  }

  #assign(): void {
    const reader = this.#chance.pick(this.#readers.filter(({ group }) => group === undefined))
    const positions = this.#logs.map((log) => {
      const from = log.logStart + this.#chance.below(log.records.length - log.logStart + 1)
      reader.next.set(log, from)
      return { topic: log.topic, partition: log.partition, from }
    })
    this.#recorder.note(reader.name, { kind: 'assign', positions })
  }

  #commit(): void {
    const log = this.#chance.pick(this.#logs)
    const member = this.#readers[2]
    const offset = member?.next.get(log)
    if (offset === undefined) return
    const positions = [{ topic: log.topic, partition: log.partition, offset }]
    const common = { kind: 'commit', group: 'workers', retried: false, positions } as const
    const begun = this.#recorder.begin('member-1', { ...common, outcome: 'indeterminate' })
    const outcome = this.#outcome()
    if (outcome === 'ok' || (outcome === 'indeterminate' && this.#chance.chance(0.5))) {
      this.#committed.set(log, offset)
    }
    this.#recorder.end(begun, { ...common, outcome })
  }

  #fetchCommitted(): void {
    const begun = this.#recorder.begin('admin')
    const positions = this.#logs.map((log) => ({
      topic: log.topic,
      partition: log.partition,
      offset: this.#committed.get(log) ?? -1,
    }))
    this.#recorder.end(begun, { kind: 'committed', group: 'workers', positions })
  }

  #trim(): void {
    const log = this.#chance.pick(this.#logs)
    const { topic, partition } = log
    const offset = log.logStart + this.#chance.below(log.records.length - log.logStart + 1)
    const common = { kind: 'trim', topic, partition, offset } as const
    const begun = this.#recorder.begin('admin', {
      ...common,
      outcome: 'indeterminate',
      logStart: -1,
    })
    const outcome = this.#outcome()
    if (outcome !== 'fail') log.logStart = Math.max(log.logStart, offset)
    const logStart = outcome === 'ok' ? log.logStart : -1
    this.#recorder.end(begun, { ...common, outcome, logStart })
  }

  #end(): void {
    const log = this.#chance.pick(this.#logs)
    const begun = this.#recorder.begin('admin')
    const { topic, partition } = log
    const highWatermark = log.records.length
    this.#recorder.end(begun, { kind: 'end', topic, partition, highWatermark })
  }

  #bytes(): void {
    const log = this.#chance.pick(this.#logs)
    const begun: Begun = this.#recorder.begin('auditor')
    const { topic, partition } = log
    const batches = log.batches.map(({ offset, count }) => ({
      offset,
      last: offset + count - 1,
      crc: offset * 31 + count,
    }))
    this.#recorder.end(begun, { kind: 'bytes', topic, partition, batches })
  }

  #others(): void {
    const value = this.#chance.pick(['a', 'b', 'c'])
    const common = {
      kind: 'write',
      register: 'retention of orders',
      value,
      retried: false,
    } as const
    const begun = this.#recorder.begin('admin', { ...common, outcome: 'indeterminate' })
    this.#setting.value = value
    this.#recorder.end(begun, { ...common, outcome: 'ok' })
    const { value: read } = this.#setting
    this.#recorder.note('admin', { kind: 'read', register: 'retention of orders', value: read })
    const producerId = 2000 + this.#identities++
    this.#recorder.note('admin', { kind: 'identity', producerId, producerEpoch: 0 })
    const topic = `passing#${this.#identities}`
    this.#recorder.note('admin', { kind: 'list', topics: ['orders#1', topic] })
    this.#recorder.note('admin', { kind: 'delete', topic, outcome: 'ok' })
    this.#recorder.note('admin', { kind: 'list', topics: ['orders#1'] })
  }

  /** The reads after which nothing more is owed. */
  #settle(): void {
    this.#fetchCommitted()
    for (const log of this.#logs) {
      const begun = this.#recorder.begin('final')
      const { topic, partition, logStart } = log
      const records = log.records.slice(logStart)
      const highWatermark = log.records.length
      this.#recorder.end(begun, {
        kind: 'final',
        topic,
        partition,
        logStart,
        highWatermark,
        records,
      })
    }
  }
}
