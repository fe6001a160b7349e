// Compares a store that was just opened with what the model allows, byte for byte.

import { asOffset } from '../../src/base/brand.ts'
import type { Prng } from '../../src/env/sim/prng.ts'
import type { Store, StoredLog } from '../../src/storage/store.ts'
import { sameHardState, type Image, type LogModel, type StoreModel } from './model.ts'

export class FuzzFailure extends Error {
  override readonly name = 'FuzzFailure'
}

export function expect(condition: unknown, message: string): asserts condition {
  if (condition !== true) throw new FuzzFailure(message)
}

/** Runs the simulation until the promise settles. */
export type Settle = <T>(promise: T | Promise<T>) => Promise<T>

/** Every log of the opened store is one that may have come back; the model then starts from what was found. */
export async function checkRecovered(
  model: StoreModel,
  store: Store,
  settle: Settle,
  chance: Prng,
): Promise<void> {
  const found = [...store.logs()]
  const ids = new Set<string>([...model.ids(), ...found.map((log) => log.id)])
  expect(new Set(found.map((log) => log.id)).size === found.length, 'two logs have one id')
  for (const id of ids) {
    const log = found.find((one) => one.id === id)
    const may = model.mayReturn(id)
    if (log === undefined) {
      expect(may.orNone, `log ${id}, reported durable, is gone`)
      model.recovered(id, undefined)
      continue
    }
    expect(store.get(log.id) === log, `get(${id}) finds another log`)
    const known = may.logs.find((one) => one.incarnation === log.incarnation)
    const allowed = may.logs.map((one) => one.incarnation).join()
    expect(
      known !== undefined,
      `log ${id} came back as incarnation ${log.incarnation}, allowed are [${allowed}]`,
    )
    await checkLog(known, log, settle, chance)
    model.recovered(id, known)
  }
}

async function checkLog(
  model: LogModel,
  log: StoredLog,
  settle: Settle,
  chance: Prng,
): Promise<void> {
  const name = `log ${log.id}`
  expect(Buffer.from(model.descriptor).equals(log.descriptor), `${name} has another descriptor`)
  const { epoch, offset } = log.durable
  expect(
    epoch === log.end.epoch && offset === log.end.offset,
    `${name}: durable (${epoch}, ${offset}) after opening, but the end is ${describeEnd(log)}`,
  )
  const bytes = await readAll(log, settle, chance)
  const candidates = [...model.candidates()]
  const image = candidates.find((one) => difference(one, log, bytes) === undefined)
  if (image === undefined) {
    const reasons = candidates.map((one) => `  ${describe(one)}: ${difference(one, log, bytes)}`)
    throw new FuzzFailure(
      `${name} is in no state that it may be in: end ${describeEnd(log)}, start ${log.logStart}, ` +
        `epochs ${describeEpochs(log.epochs.entries)}, ${bytes.byteLength} bytes; allowed\n${reasons.join('\n')}`,
    )
  }
  const hardState = model.hardStates.find((one) => sameHardState(one, log.hardState))
  const voted = model.hardStates.map((one) => one.term).join()
  expect(
    hardState !== undefined,
    `${name}: hard state of term ${log.hardState.term}, allowed are [${voted}]`,
  )
  expect(sameHardState(log.durableHardState, log.hardState), `${name}: hard state not durable`)
  model.settle(image, hardState)
  checkSegments(image, log)
}

/** Everything from the log start, in reads of random size. */
export async function readAll(log: StoredLog, settle: Settle, chance: Prng): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let from = log.logStart
  while (from < log.end.offset) {
    const maxBytes = chance.pick([1, 500, 5_000, 1 << 20])
    const read = await settle(log.read({ from, below: log.end.offset, maxBytes }))
    expect(read.next > from, `log ${log.id}: a read from ${from} returned nothing`)
    chunks.push(...read.chunks)
    from = read.next
  }
  return Buffer.concat(chunks)
}

/** Why the log is not in this state; undefined when it is. */
function difference(image: Image, log: StoredLog, bytes: Uint8Array): string | undefined {
  if (image.end !== log.end.offset) return 'another end'
  if (image.logStart !== log.logStart) return `log start ${image.logStart}`
  const epochs = describeEpochs(image.epochs)
  if (epochs !== describeEpochs(log.epochs.entries)) return `epochs ${epochs}`
  const expected = Buffer.concat(image.batches.map((batch) => batch.bytes))
  if (expected.equals(bytes)) return undefined
  const at = expected.findIndex((byte, i) => byte !== bytes[i])
  return `${expected.byteLength} bytes, ${at < 0 ? 'too many' : `differing ${describePlace(image, at)}`}`
}

function describePlace(image: Image, at: number): string {
  let from = 0
  for (const batch of image.batches) {
    if (at < from + batch.bytes.byteLength)
      return `at byte ${at - from} of the batch at ${batch.base}`
    from += batch.bytes.byteLength
  }
  return 'nowhere'
}

/** The segments lie end to end, from the log start or before to the end. */
export function checkSegments(image: Image, log: StoredLog): void {
  const segments = log.segments()
  let end = segments[0]?.baseOffset ?? asOffset(image.end)
  expect(
    end <= image.logStart || image.batches.length === 0,
    `log ${log.id}: first segment at ${end}`,
  )
  for (const segment of segments) {
    expect(segment.baseOffset === end, `log ${log.id}: segment ${segment.baseOffset} after ${end}`)
    expect(segment.endOffset >= segment.baseOffset, `log ${log.id}: segment ends before it starts`)
    end = segment.endOffset
  }
  expect(end === image.end, `log ${log.id}: segments end at ${end}, the log at ${image.end}`)
}

/** The offset to scan from for each timestamp is that of the first batch that reaches it. */
export async function checkTimestamps(
  image: Image,
  log: StoredLog,
  settle: Settle,
  chance: Prng,
): Promise<void> {
  if (image.batches.length === 0) return
  const timestampMs = chance.pick(image.batches).maxTimestampMs + chance.between(-1, 1)
  const below = chance.chance(0.5) ? image.end : chance.pick(image.batches).base
  const first = image.batches.find(
    (batch) => batch.maxTimestampMs >= timestampMs && batch.base < below,
  )
  const wanted = first === undefined ? undefined : Math.max(first.base, image.logStart)
  const found = await settle(log.seekTimestamp(timestampMs, asOffset(below)))
  expect(
    found === wanted,
    `log ${log.id}: timestamp ${timestampMs} below ${below} found at ${found}, not ${wanted}`,
  )
}

function describe(image: Image): string {
  return `end ${image.end}, start ${image.logStart}, epochs ${describeEpochs(image.epochs)}`
}

function describeEnd(log: StoredLog): string {
  return `(${log.end.epoch}, ${log.end.offset})`
}

function describeEpochs(
  entries: readonly { readonly epoch: number; readonly start: number }[],
): string {
  return `[${entries.map((entry) => `${entry.epoch}@${entry.start}`).join(' ')}]`
}
