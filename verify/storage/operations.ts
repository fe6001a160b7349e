// The operations of the fuzz. Each changes the store and the model alike, or compares them.

import { asLeaderEpoch, asLogId, asNodeId, asOffset } from '../../src/base/brand.ts'
import type { Prng } from '../../src/env/sim/prng.ts'
import {
  DESCRIPTOR_BYTES_MAX,
  StoreError,
  type SegmentRange,
  type Store,
  type StoredBytes,
  type StoredLog,
} from '../../src/storage/store.ts'
import { makeBatches } from './batches.ts'
import { expect, FuzzFailure } from './check.ts'
import { EMPTY, holds, lastEpoch, LogModel, type Image, type StoreModel } from './model.ts'
import { pickLogConfig, type Feature, type Plan } from './plan.ts'

/** One life of the store, as the operations see it. */
export interface Life {
  readonly store: Store
  readonly model: StoreModel
  readonly chance: Prng
  readonly plan: Plan
  readonly nowMs: () => number
  /** Grows with every macrotask: what was accepted in one turn has the same number. */
  readonly turn: () => number
  readonly alive: () => boolean
  readonly note: (text: string) => void
  /** A failure found where no caller can hear of it. */
  readonly report: (error: unknown) => void
  /** For what the operation leaves running; a rejection is a failure of the fuzz. */
  readonly watch: (promise: Promise<void>) => void
  readonly counts: Map<string, number>
}

export type Operation = (life: Life, log: StoredLog, model: LogModel) => void

export function append(large: boolean): Operation {
  return (life, log, model) => {
    const { chance, plan } = life
    if (model.needsEpoch) startEpoch(life, log, model)
    const at = { base: log.end.offset, epoch: log.end.epoch, nowMs: life.nowMs() }
    const valueBytesMax = large ? plan.valueBytesLarge : plan.valueBytesSmall
    const made = makeBatches(chance, at, {
      batches: chance.between(1, large ? 2 : 4),
      valueBytesMax,
    })
    try {
      log.append(made.bytes, made.summary)
    } catch (error) {
      expect(
        error instanceof StoreError && error.code === 'storage-full',
        `append failed: ${String(error)}`,
      )
      expect(log.end.offset === at.base, 'a refused append was accepted')
      count(life, 'refused')
      return
    }
    for (const batch of made.batches) model.accept({ kind: 'batch', batch, turn: life.turn() })
    life.note(`append ${log.id} ${at.base}..${log.end.offset} ${made.bytes.byteLength} bytes`)
    expect(log.end.offset === model.image.end, 'the end after an append')
    count(life, large ? 'large' : 'small')
  }
}

export const startEpoch: Operation = (life, log, model) => {
  const epoch = unusedEpoch(life, model)
  log.startEpoch(asLeaderEpoch(epoch))
  model.accept({ kind: 'epoch', epoch, turn: life.turn() })
  model.needsEpoch = false
  life.note(`epoch ${log.id} ${epoch}@${log.end.offset}`)
  expect(log.end.epoch === epoch, 'the end after an epoch start')
  count(life, 'epoch')
}

/** A term belongs to one leader: what it started once never starts elsewhere. */
function unusedEpoch(life: Life, model: LogModel): number {
  let epoch = Math.max(lastEpoch(model.image), ...model.usedEpochs) + life.chance.between(1, 4)
  if (epoch < 0) epoch = 0
  model.usedEpochs.add(epoch)
  return epoch
}

export const truncate: Operation = (life, log, model) => {
  const { chance } = life
  const { image } = model
  const borders = [
    ...image.batches.map((batch) => batch.last + 1),
    ...image.epochs.map((e) => e.start),
  ]
  const places = borders
    .filter((offset) => offset >= image.logStart)
    // A log may start inside a batch, but what is inside of one is never cut off: a log start is committed.
    .filter((offset) => !image.batches.some(({ base, last }) => base < offset && last >= offset))
    .flatMap((offset) => image.epochs.map(({ epoch }) => ({ epoch, offset })))
    .filter((position) => holds(image, position))
  if (places.length === 0) return
  // Mostly near the end, as it happens.
  const to = chance.chance(0.6) ? chance.pick(places.slice(-6)) : chance.pick(places)
  log.truncate({ epoch: asLeaderEpoch(to.epoch), offset: asOffset(to.offset) })
  model.accept({ kind: 'truncate', to, turn: life.turn() })
  model.needsEpoch = true
  life.note(`truncate ${log.id} to (${to.epoch}, ${to.offset})`)
  expect(log.end.offset === to.offset && log.end.epoch === to.epoch, 'the end after a truncation')
  count(life, 'truncate')
  if (chance.chance(0.6)) {
    startEpoch(life, log, model)
    if (chance.chance(0.7)) append(chance.chance(0.3))(life, log, model)
  }
}

export const advanceLogStart: Operation = (life, log, model) => {
  const { image } = model
  const from = image.logStart
  if (image.end === from) return
  const offset = life.chance.between(from + 1, image.end)
  log.advanceLogStart(asOffset(offset))
  model.accept({ kind: 'log-start', offset, turn: life.turn() })
  life.note(`log start ${log.id} ${offset}`)
  expect(log.logStart === offset, 'the log start')
  count(life, 'log-start')
}

/** As a follower whose leader's log starts above its end, or further on than compaction lets it follow. */
export const install: Operation = (life, log, model) => {
  const { chance } = life
  const { image } = model
  const at = chance.chance(0.6) ? image.end + chance.below(50) : chance.between(0, image.end)
  const epochs = image.epochs.filter((entry) => entry.start <= at)
  const known = epochs.length
  for (let more = chance.below(3); more > 0 || epochs.length === 0; more--) {
    epochs.push({
      epoch: unusedEpoch(life, model),
      start: chance.between(epochs.at(-1)?.start ?? 0, at),
    })
  }
  const entries = epochs.map(({ epoch, start }) => ({
    epoch: asLeaderEpoch(epoch),
    start: asOffset(start),
  }))
  log.install({ logStart: asOffset(at), epochs: entries })
  model.accept({ kind: 'install', at, epochs, turn: life.turn() })
  // The leader's epoch goes on here; one that had bytes of its own before does not.
  model.needsEpoch = epochs.length === known
  life.note(`install ${log.id} at ${at} in epoch ${epochs.at(-1)?.epoch}`)
  expect(log.logStart === at && log.end.offset === at, 'the log after an install')
  expect(log.end.epoch === lastEpoch(model.image), 'the epoch after an install')
  expect(log.durable.offset === 0 && log.durable.epoch === -1, 'durable before an install is')
  count(life, 'install')
  if (chance.chance(0.3)) appendStraddling(life, log, model)
  else if (chance.chance(0.6)) append(chance.chance(0.3))(life, log, model)
}

/** The leader's log starts inside a batch: the follower gets that batch whole. */
function appendStraddling(life: Life, log: StoredLog, model: LogModel): void {
  const { chance } = life
  const start = log.logStart
  const base = start - chance.between(1, 4)
  const inForce = log.epochs.entries.at(-1)
  if (base < 0 || inForce === undefined || inForce.start > base) return
  const at = { base, epoch: log.end.epoch, nowMs: life.nowMs() }
  const sizes = { batches: 2, valueBytesMax: life.plan.valueBytesSmall }
  const made = makeBatches(chance, at, sizes)
  if (made.summary[0]!.lastOffset < start) return
  try {
    log.append(made.bytes, made.summary)
  } catch (error) {
    expect(error instanceof StoreError && error.code === 'storage-full', `append: ${String(error)}`)
    return
  }
  for (const batch of made.batches) model.accept({ kind: 'batch', batch, turn: life.turn() })
  model.needsEpoch = false
  life.note(`append ${log.id} ${base}..${log.end.offset} across its start`)
  expect(log.end.offset === model.image.end, 'the end after an append across the start')
  count(life, 'straddling')
}

export const saveHardState: Operation = (life, log, model) => {
  const term = log.hardState.term + life.chance.between(1, 3)
  const votedFor = life.chance.chance(0.3) ? undefined : asNodeId(life.chance.below(5))
  const state = { term, votedFor, suspect: life.chance.chance(0.2) }
  log.saveHardState(state)
  model.saveHardState(state)
  life.note(`hard state ${log.id} ${term}`)
  count(life, 'hard-state')
}

export function create(life: Life, id: string): void {
  const { store, model, chance } = life
  const descriptor = chance.bytes(chance.chance(0.02) ? DESCRIPTOR_BYTES_MAX : chance.below(300))
  const options = { directory: `topic-${id}`, config: pickLogConfig(chance), descriptor }
  let log: StoredLog
  try {
    log = store.create(asLogId(id), options)
  } catch (error) {
    expect(error instanceof StoreError && error.code === 'storage-full', `create: ${String(error)}`)
    count(life, 'refused')
    return
  }
  expect(log.end.offset === 0 && log.end.epoch === -1, 'a new log is empty')
  const hardState = log.hardState
  const made = new LogModel(id, log.incarnation, {
    image: EMPTY,
    hardState,
    createDurable: false,
    descriptor: descriptor.slice(),
  })
  // The store keeps a copy.
  descriptor.fill(0)
  model.created(made)
  life.note(`create ${id} as ${log.incarnation}`)
  listen(life, log, made)
  count(life, 'create')
}

export const drop: Operation = (life, log, model) => {
  life.store.drop(log.id)
  model.dropped = true
  life.note(`drop ${log.id} ${log.incarnation}`)
  expect(life.store.get(log.id) === undefined, 'a dropped log is served')
  count(life, 'drop')
}

/** What the store reports durable, the model holds it to. */
export function listen(life: Life, log: StoredLog, model: LogModel): void {
  log.onDurable((durable) => {
    if (!life.alive()) return
    const { epoch, offset } = durable
    life.note(`durable ${log.id} (${epoch}, ${offset})`)
    if (offset !== log.durable.offset || epoch !== log.durable.epoch) {
      life.report(new FuzzFailure('onDurable and durable differ'))
    }
    if (offset > log.end.offset || epoch > log.end.epoch) {
      life.report(new FuzzFailure(`log ${log.id}: durable (${epoch}, ${offset}) above the end`))
    }
    model.reportedDurable(durable)
    model.hardStateDurable(log.durableHardState)
  })
}

export const read: Operation = (life, log, model) => {
  const { chance } = life
  const { image } = model
  const from = chance.between(image.logStart, image.end)
  const borders = image.batches.map((batch) => batch.last + 1).filter((border) => border > from)
  const below = borders.length === 0 ? image.end : chance.pick(borders)
  const maxBytes = chance.pick([1, 200, 3_000, 1 << 20])
  const { accepted } = model
  const untouched = (): boolean => model.accepted === accepted && !model.dropped
  const result = log.read({ from: asOffset(from), below: asOffset(below), maxBytes })
  count(life, result instanceof Promise ? 'read from disk' : 'read from memory')
  const check = (bytes: StoredBytes): void =>
    checkRead({ before: image, now: model.image }, { from, below, maxBytes }, bytes)
  if (!(result instanceof Promise)) {
    check(result)
    return
  }
  life.watch(
    result.then(check, (error: unknown) => {
      // The log changed meanwhile: what was asked for may be gone.
      const gone =
        error instanceof StoreError && ['offset-out-of-range', 'closed'].includes(error.code)
      expect(gone && !untouched(), `read ${log.id} ${from}..${below}: ${String(error)}`)
    }),
  )
}

function checkRead(
  images: { readonly before: Image; readonly now: Image },
  request: { readonly from: number; readonly below: number; readonly maxBytes: number },
  got: StoredBytes,
): void {
  const bytes = Buffer.concat(got.chunks)
  expect(bytes.byteLength === got.bytes, 'a read that counts its bytes wrong')
  const reasons = [images.before, images.now].map((image) => {
    const wanted = image.batches.filter(
      (batch) => batch.last >= request.from && batch.base < request.below,
    )
    let at = 0
    let taken = 0
    for (const batch of wanted) {
      if (at === bytes.byteLength) break
      if (!bytes.subarray(at, at + batch.bytes.byteLength).equals(batch.bytes)) {
        return `differs at ${batch.base}`
      }
      at += batch.bytes.byteLength
      taken++
      if (batch.last + 1 === got.next && at !== bytes.byteLength) return 'goes on after its end'
    }
    if (at !== bytes.byteLength) return `${bytes.byteLength - at} bytes too many`
    if (taken === 0 && wanted.length > 0) return 'empty'
    if (taken > 1 && bytes.byteLength > request.maxBytes) return 'more than asked for'
    const next = taken === 0 ? request.from : wanted[taken - 1]!.last + 1
    return got.next === next ? undefined : `next ${got.next} instead of ${next}`
  })
  const { from, below, maxBytes } = request
  expect(
    reasons.includes(undefined),
    `read ${from}..${below} of at most ${maxBytes}: ${String(reasons[0])}`,
  )
}

export const saveSnapshot: Operation = (life, log, model) => {
  const { image } = model
  if (image.epochs.length === 0) return
  const at = log.end
  const key = `${at.epoch}@${at.offset}`
  const bytes = life.chance.bytes(life.chance.between(1, 300))
  const saved = model.snapshots.get(key) ?? []
  model.snapshots.set(key, [...saved, bytes])
  void log.snapshots.save(at, bytes)
  life.note(`snapshot ${log.id} ${key}`)
  count(life, 'snapshot')
}

export const latestSnapshot: Operation = (life, log, model) => {
  const upTo = life.chance.between(model.image.logStart, model.image.end)
  const { accepted } = model
  life.watch(
    log.snapshots.latest(asOffset(upTo)).then((found) => {
      if (found === undefined || model.accepted !== accepted || model.dropped) return
      const { epoch, offset } = found.at
      expect(offset <= upTo, `snapshot at ${offset} asked up to ${upTo}`)
      expect(holds(model.image, found.at), `snapshot at (${epoch}, ${offset}), which the log lacks`)
      const saved = model.snapshots.get(`${epoch}@${offset}`) ?? []
      const same = saved.some((bytes) => Buffer.from(bytes).equals(found.bytes))
      expect(same, `snapshot at (${epoch}, ${offset}) was never saved so`)
      count(life, 'snapshot found')
    }),
  )
}

/**
 * Writes sealed segments anew, as one, with what they hold: the log is the same afterwards, and at every moment of it. Goes
 * on while other things happen to the log.
 */
export const rewrite: Operation = (life, log) => {
  const { chance } = life
  const sealed = log
    .segments()
    .slice(0, -1)
    .filter((segment) => segment.baseOffset >= log.logStart)
  if (sealed.length === 0) return
  const first = chance.below(sealed.length)
  const chosen = sealed.slice(first, first + chance.between(1, 4))
  const range = { from: chosen[0]!.baseOffset, to: chosen.at(-1)!.endOffset }
  life.watch(rewriteRange(life, log, range))
}

async function rewriteRange(life: Life, log: StoredLog, range: SegmentRange): Promise<void> {
  const gone = (error: unknown): undefined => {
    const codes = ['closed', 'offset-out-of-range', 'storage-full']
    const known = error instanceof StoreError && codes.includes(error.code)
    // A disk that fails a write of what does not count yet is no reason to stop.
    expect(known || String(error).includes('EIO (injected)'), `rewrite: ${String(error)}`)
    return undefined
  }
  const rewriter = await log.rewriteSegments(range).catch(gone)
  if (rewriter === undefined) return
  try {
    for (let from = range.from; from < range.to;) {
      const maxBytes = life.chance.pick([1, 2_000])
      const read = await log.read({ from, below: range.to, maxBytes })
      // A truncation may have left less of it.
      if (read.bytes === 0) break
      await rewriter.write(Buffer.concat(read.chunks))
      from = read.next
      if (from < range.to) continue
      const counts = await rewriter.commit({ tombstonesRemovedBelow: asOffset(0) })
      life.note(`rewrite ${log.id} ${range.from}..${range.to} ${counts ? 'counts' : 'is void'}`)
      count(life, counts ? 'rewrite' : 'rewrite void')
    }
  } catch (error) {
    // What replaced a batch meanwhile may be longer, or of another epoch.
    const overtaken = error instanceof Error && error.name === 'AssertionError'
    if (!overtaken) gone(error)
  } finally {
    await rewriter.abandon().catch(gone)
  }
}

export const configure: Operation = (life, log) => {
  log.configure(pickLogConfig(life.chance))
}

/** How often each comes, and which feature it belongs to. */
export const WEIGHTED: readonly (readonly [number, Operation, Feature?])[] = [
  [10, append(false)],
  [4, append(true), 'large'],
  [1, startEpoch],
  [2, truncate, 'truncate'],
  [1, advanceLogStart, 'log-start'],
  [0.7, install, 'install'],
  [1, saveHardState, 'hard-state'],
  [0.7, drop, 'drop'],
  [4, read, 'reads'],
  [1, saveSnapshot, 'snapshots'],
  [1, latestSnapshot, 'snapshots'],
  [1, rewrite, 'rewrite'],
  [0.3, configure],
]

function count(life: Life, what: string): void {
  life.counts.set(what, (life.counts.get(what) ?? 0) + 1)
}
