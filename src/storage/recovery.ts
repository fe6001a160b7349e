// What a start does before anything else (law R4). In this order, so that a kill or a power cut at any point of it leaves
// something that the next start recovers to the same state:
//
// 1. The names that the last process relied on (checkpoint, journal files) are made durable: their directories are synced.
// 2. Checkpoint and journal are read; every journal file read is synced, since a killed process may have left it in the
//    page cache only. The last frame is written again first, the same bytes in the same place: if it was the failure of
//    its sync that ended the last process, the system may believe its pages to be on disk, and would write nothing.
//    Nothing else was changed yet.
// 3. The final state is computed. Only then are segment files made to match it: longer ones are cut, files that count for
//    nothing removed. A segment shorter than recorded is damage of that log; nothing is shortened to fit.
// 4. A checkpoint of that state opens the new generation; tails stay where they are in the old journal files. Only once it
//    is durable may those files that it does not need be reused.

import { assert } from '../base/assert.ts'
import { crc32c } from '../base/crc32c.ts'
import type { DiskFile } from '../env/disk.ts'
import { summarizeBatches } from '../records/batch-header.ts'
import { FormatError, NewerFormatError } from './byte-io.ts'
import { encodeCheckpoint, readCheckpoint, writeCheckpoint, type Checkpoint } from './checkpoint.ts'
import { isDiskError, readWholeFile } from './files.ts'
import {
  decodeSlotHead,
  sameGeneration,
  SLOT_HEAD_BYTES,
  type Generation,
  type SlotHead,
} from './journal-frame.ts'
import { framesIn, replayJournal, type ReadFrame } from './journal-reader.ts'
import { JournalSlots } from './journal-slots.ts'
import type { SegmentDamage } from './find-damage.ts'
import type { JournalPlace, LogState, Piece } from './log-state.ts'
import { matchFiles } from './match-files.ts'
import type { NodeState } from './node-state.ts'
import type { StoreEnv, StoreOptions } from './options.ts'
import { type DamagedLog, JournalDamage, StoreError } from './store.ts'

const SPARES_MIN = 2
const SECTOR_BYTES = 512

export interface Recovered {
  readonly state: NodeState
  readonly generation: Generation
  readonly nextLsn: number
  readonly slots: JournalSlots
  /** What segment files lack, by the log's incarnation. */
  readonly damaged: ReadonlyMap<number, readonly SegmentDamage[]>
}

interface FoundSlot {
  readonly name: string
  readonly file: DiskFile
  readonly bytes: number
  readonly head: SlotHead | undefined
  /** Nothing was ever written to its first sector but the zeros. */
  readonly unused: boolean
}

export async function recover(env: StoreEnv, options: StoreOptions): Promise<Recovered> {
  try {
    return await recoverWhole(env, options)
  } catch (error) {
    if (!(error instanceof JournalDamage)) throw error
    const created = await createdIn(env, `${options.directory}/journal`)
    throw new JournalDamage(error.message, [...error.logs, ...created])
  }
}

/** What any frame that can be read says was created; some of it may be gone again. */
async function createdIn({ disk }: StoreEnv, journal: string): Promise<DamagedLog[]> {
  const created = []
  for (const { name } of await disk.list(journal)) {
    if (!JournalSlots.isSlotName(name)) continue
    for (const { records } of framesIn(await readWholeFile(disk, `${journal}/${name}`))) {
      for (const { record } of records) {
        if (record.type !== 'create') continue
        const { id, directory, descriptor } = record
        created.push({ id, directory, descriptor })
      }
    }
  }
  return created
}

async function recoverWhole(env: StoreEnv, options: StoreOptions): Promise<Recovered> {
  const { disk } = env
  const { directory } = options
  const journal = `${directory}/journal`
  for (const path of [directory, journal]) await disk.syncDirectory(path)
  const checkpoint = await refusing(`${directory}/checkpoint`, undefined, () =>
    readCheckpoint(disk, directory),
  )
  if (checkpoint === undefined) throw new JournalDamage(`${directory} has no checkpoint`, [])
  const { state, cursor } = checkpoint
  const found = await refusing(journal, state, () => findSlots(env, journal))
  const neededBefore = state.neededSequences()
  const { nextLsn, last } = await refusing(journal, state, () => replay(checkpoint, found))
  if (last !== undefined) await rewrite(last, found)
  const needed = state.neededSequences()
  for (const slot of found) {
    const used =
      slot.head !== undefined &&
      (isOfCursor(slot.head, checkpoint) || needed.has(slot.head.sequence))
    if (used) await slot.file.sync()
  }
  await refusing(journal, state, () => loadTails(state, found))
  const damaged = await matchFiles(env, `${directory}/logs`, state)
  const slots = new JournalSlots(disk, journal, {
    fileBytes: options.journalFileBytes,
    firstFileBytes: options.journalFirstFileBytes,
    bytesMax: options.journalBytesMax,
  })
  const sequences = found.map((slot) => slot.head?.sequence ?? 0)
  const nextSequence = Math.max(cursor.sequence, ...sequences) + 1
  const numbers = found.map((slot) => slot.head?.generation.number ?? 0)
  const generation = {
    number: Math.max(cursor.generation.number, ...numbers) + 1,
    salt: env.random.below(0x1_0000_0000),
  }
  await adopt(slots, found, needed, nextSequence)
  const idle = found.filter(
    ({ head }) =>
      head === undefined || !(isOfCursor(head, checkpoint) || neededBefore.has(head.sequence)),
  )
  await openGeneration(env, options, slots, {
    state,
    generation,
    nextLsn,
    nextSequence,
    idle: new Set(idle.map((slot) => slot.name)),
  })
  await addSpares(env, slots)
  return { state, generation, nextLsn, slots, damaged }
}

/** Damage of the journal or the checkpoint: everything may be lost, so nothing is started. `known`: as far as it was read. */
async function refusing<T>(
  what: string,
  known: NodeState | undefined,
  body: () => Promise<T>,
): Promise<T> {
  try {
    return await body()
  } catch (error) {
    const isFormat = error instanceof FormatError || error instanceof RangeError
    const isState = error instanceof Error && error.name === 'AssertionError'
    if (!isFormat && !isState) throw error
    const message = `${what} can't be used: ${error.message}`
    if (error instanceof NewerFormatError) throw new StoreError('corrupt', message)
    const logs = [...(known?.logs.values() ?? [])]
    throw new JournalDamage(
      message,
      logs.map(({ id, directory, descriptor }) => ({ id, directory, descriptor })),
    )
  }
}

async function findSlots(env: StoreEnv, journal: string): Promise<FoundSlot[]> {
  const found: FoundSlot[] = []
  for (const { name } of await env.disk.list(journal)) {
    if (!JournalSlots.isSlotName(name)) continue
    const file = await env.disk.open(`${journal}/${name}`, 'write', { lane: 'commit' })
    const sector = new Uint8Array(SECTOR_BYTES)
    const read = await file.read(sector, 0)
    const bytes = await file.size()
    const head = decodeSlotHead(sector.subarray(0, read))
    found.push({ name, file, bytes, head, unused: sector.every((byte) => byte === 0) })
  }
  return found
}

async function replay(
  checkpoint: Checkpoint,
  found: readonly FoundSlot[],
): Promise<{ readonly nextLsn: number; readonly last: ReadFrame | undefined }> {
  const { state, cursor } = checkpoint
  const readable = []
  for (const { name, file, bytes, head, unused } of found) {
    if (!unused) readable.push({ name, head, load: () => readAll(file, bytes) })
  }
  return replayJournal(readable, cursor, (frame) => {
    for (const { record, place } of frame.records) {
      if (place === undefined || (record.type !== 'append' && record.type !== 'copy')) {
        state.apply(record)
        continue
      }
      const { base, end, bytes, maxTimestampMs } = record
      const blob = { place }
      state.apply(record, {
        base,
        end,
        bytes,
        maxTimestampMs,
        blob,
        data: undefined,
        batches: undefined,
      })
    }
  })
}

/** With the file's head where the frame is its first: the two were written together. */
async function rewrite(frame: ReadFrame, found: readonly FoundSlot[]): Promise<void> {
  const slot = found.find(({ head }) => head?.sequence === frame.sequence)
  assert(slot !== undefined, 'the file of a frame just read')
  const from = frame.position === SLOT_HEAD_BYTES ? 0 : frame.position
  const bytes = new Uint8Array(frame.nextPosition - from)
  await slot.file.read(bytes, from)
  await slot.file.write([bytes], from)
}

function isOfCursor(head: SlotHead, { cursor }: Checkpoint): boolean {
  return sameGeneration(head.generation, cursor.generation) && head.sequence >= cursor.sequence
}

/** The bytes of every tail, checked. */
async function loadTails(state: NodeState, found: readonly FoundSlot[]): Promise<void> {
  const bySequence = new Map<number, FoundSlot>()
  for (const slot of found) if (slot.head !== undefined) bySequence.set(slot.head.sequence, slot)
  for (const log of state.logs.values()) {
    const loaded: Piece[] = []
    for (const piece of log.tail) {
      const { place } = piece.blob
      const slot = place === undefined ? undefined : bySequence.get(place.sequence)
      if (place === undefined || slot === undefined) {
        throw new FormatError(`the journal file with offset ${piece.base} of ${log.id} is gone`)
      }
      const blob = await readBlob(slot, place, log)
      const data = blob.subarray(0, piece.bytes)
      loaded.push({ ...piece, data, batches: summarizeBatches(data) })
    }
    log.tail = loaded
  }
}

async function readBlob(slot: FoundSlot, place: JournalPlace, log: LogState): Promise<Uint8Array> {
  const bytes = new Uint8Array(place.bytes)
  const read = await slot.file.read(bytes, place.position)
  if (read < bytes.length || crc32c(bytes) !== place.crc) {
    throw new FormatError(
      `${slot.name}: ${bytes.length} bytes of ${log.id} at ${place.position} are damaged`,
    )
  }
  return bytes
}

/** A file that was not finished when the process died is too short to be of use; recovery relies on none of it. */
async function adopt(
  slots: JournalSlots,
  found: readonly FoundSlot[],
  needed: ReadonlySet<number>,
  nextSequence: number,
): Promise<void> {
  const live = []
  const spare = []
  for (const { name, file, bytes, head } of found) {
    const slot = { name, file, capacity: bytes }
    if (head !== undefined && needed.has(head.sequence)) {
      live.push({ ...slot, sequence: head.sequence })
    } else if (bytes >= slots.smallestBytes) {
      spare.push(slot)
    } else {
      await slots.discard(slot)
    }
  }
  slots.adopt(live, spare, nextSequence)
}

async function openGeneration(
  env: StoreEnv,
  options: StoreOptions,
  slots: JournalSlots,
  start: {
    readonly state: NodeState
    readonly generation: Generation
    readonly nextLsn: number
    readonly nextSequence: number
    /** Names of journal files that were not needed before this start either. */
    readonly idle: ReadonlySet<string>
  },
): Promise<void> {
  const { state, generation, nextLsn, nextSequence } = start
  const cursor = {
    generation,
    nextLsn,
    previousCrc: 0,
    sequence: nextSequence - 1,
    position: SLOT_HEAD_BYTES,
  }
  const bytes = encodeCheckpoint({ cursor, state })
  for (;;) {
    try {
      await writeCheckpoint(env.disk, options.directory, bytes, async () => {})
      return
    } catch (error) {
      if (!isDiskError(error, 'ENOSPC')) throw error
      // A file that neither this state nor the previous checkpoint needs makes room.
      if (await slots.giveUpSpare((name) => start.idle.has(name))) continue
      throw new StoreError('storage-full', `no room for a checkpoint in ${options.directory}`)
    }
  }
}

/** At least an active file and the reserve. On a full disk the store opens without them, refusing appends. */
async function addSpares(env: StoreEnv, slots: JournalSlots): Promise<void> {
  try {
    while (slots.spares < SPARES_MIN) {
      await slots.addSpare(slots.smallestBytes)
    }
  } catch (error) {
    if (!isDiskError(error, 'ENOSPC')) throw error
    env.log.warn('the disk is full: the journal has no file to spare')
  }
}

async function readAll(file: DiskFile, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size)
  const read = await file.read(bytes, 0)
  return bytes.subarray(0, read)
}
