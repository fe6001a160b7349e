// The journal as a sequence of bytes: whatever is damaged, stale or torn, replay takes a prefix of what was written, and
// says so when more than the last frame is missing (law R4).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLeaderEpoch, asOffset } from '../base/brand.ts'
import { crc32c } from '../base/crc32c.ts'
import { ByteWriter, FormatError } from './byte-io.ts'
import {
  decodeSlotHead,
  encodeFrameHead,
  encodeSlotHead,
  frameBytes,
  FRAME_HEAD_BYTES,
  SLOT_HEAD_BYTES,
  type Generation,
} from './journal-frame.ts'
import { replayJournal, type ReadableSlot, type ReadFrame } from './journal-reader.ts'
import { encodeRecord } from './journal-record.ts'

const GENERATION: Generation = { number: 4, salt: 77 }

interface Written {
  readonly bytes: Uint8Array
  readonly crc: number
}

/** A frame with one append of `data`. */
function frame(
  lsn: number,
  previousCrc: number,
  data: Uint8Array,
  generation = GENERATION,
): Written {
  const meta = new ByteWriter()
  encodeRecord(meta, {
    type: 'append',
    incarnation: 1,
    base: asOffset(lsn * 10),
    end: asOffset(lsn * 10 + 10),
    maxTimestampMs: 5,
    bytes: data.length,
    crc: crc32c(data),
  })
  const head = encodeFrameHead(
    { dataBytes: data.length, records: 1, generation, lsn, previousCrc },
    meta.view(),
  )
  const bytes = new Uint8Array(frameBytes(meta.length, data.length))
  bytes.set(head.bytes)
  bytes.set(meta.view(), FRAME_HEAD_BYTES)
  bytes.set(data, FRAME_HEAD_BYTES + meta.length)
  return { bytes, crc: head.crc }
}

/** Frames with LSNs from `firstLsn`, one file per inner list of data sizes. */
function journal(files: readonly (readonly number[])[], firstLsn = 1): Uint8Array[] {
  let lsn = firstLsn
  let crc = 0
  return files.map((sizes, i) => {
    const file = new Uint8Array(4096)
    file.set(
      encodeSlotHead({ generation: GENERATION, sequence: i + 1, capacity: 4096, firstLsn: lsn }),
    )
    let at = SLOT_HEAD_BYTES
    for (const size of sizes) {
      const written = frame(lsn++, crc, new Uint8Array(size).fill(lsn))
      file.set(written.bytes, at)
      at += written.bytes.length
      crc = written.crc
    }
    return file
  })
}

function slotsOf(files: readonly Uint8Array[]): ReadableSlot[] {
  const slots: ReadableSlot[] = []
  for (const [i, bytes] of files.entries()) {
    slots.push({ name: `${i}`, head: decodeSlotHead(bytes), load: async () => bytes })
  }
  return slots
}

async function replay(files: readonly Uint8Array[], firstLsn = 1): Promise<number[]> {
  const frames: ReadFrame[] = []
  const cursor = {
    generation: GENERATION,
    nextLsn: firstLsn,
    previousCrc: 0,
    sequence: 0,
    position: SLOT_HEAD_BYTES,
  }
  const { nextLsn } = await replayJournal(slotsOf(files), cursor, (each) => frames.push(each))
  assert.equal(nextLsn, firstLsn + frames.length)
  return frames.map((each) => each.lsn)
}

const DATA = [100, 0, 333] as const

test('frames are read in order, over file borders', async () => {
  assert.deepEqual(await replay(journal([DATA, DATA, [1]])), [1, 2, 3, 4, 5, 6, 7])
  assert.deepEqual(await replay([]), [])
})

test('any byte of the last frame that is wrong takes that frame away, and nothing else', async () => {
  const [clean] = journal([DATA])
  assert.ok(clean !== undefined)
  let start = SLOT_HEAD_BYTES
  for (const size of DATA.slice(0, 2)) start += frame(1, 0, new Uint8Array(size)).bytes.length
  const end = clean.findLastIndex((byte) => byte !== 0) + 1
  // Two words of the head are unused, but its CRC covers them as well.
  for (let at = start; at < end; at++) {
    const bytes: Uint8Array = clean.slice()
    bytes[at]! ^= 1
    assert.deepEqual(await replay([bytes]), [1, 2], `byte ${at}`)
  }
})

test('a bad frame before a later one is corruption, in the same file and in the next', async () => {
  for (const files of [journal([DATA]), journal([[100], [0, 333]])]) {
    const damaged = files.map((file) => file.slice())
    damaged[0]![SLOT_HEAD_BYTES + FRAME_HEAD_BYTES + 5]! ^= 1
    await assert.rejects(replay(damaged), FormatError)
  }
})

test('a file whose head is damaged is not passed over', async () => {
  for (const files of [journal([DATA]), journal([DATA, DATA]), journal([[100], [0]])]) {
    for (const [i] of files.entries()) {
      const damaged = files.map((file) => file.slice())
      damaged[i]![11]! ^= 1
      await assert.rejects(replay(damaged), FormatError)
    }
  }
})

test('frames of an earlier use of the file are not taken', async () => {
  const [old] = journal([[200, 200, 200, 200]])
  const [fresh] = journal([[200]], 9)
  assert.ok(old !== undefined && fresh !== undefined)
  const recycled = old.slice()
  const used = SLOT_HEAD_BYTES + frame(9, 0, new Uint8Array(200)).bytes.length
  recycled.set(fresh.subarray(0, used))
  assert.deepEqual(await replay([recycled], 9), [9])
})

test('frames of another generation are not taken, even with the right number', async () => {
  const files = journal([[100]])
  const [file] = files
  assert.ok(file !== undefined)
  const first = frame(1, 0, new Uint8Array(100).fill(2))
  for (const other of [
    { number: GENERATION.number, salt: 78 },
    { number: GENERATION.number + 1, salt: GENERATION.salt },
  ]) {
    const alien = frame(2, first.crc, new Uint8Array(10), other)
    file.set(alien.bytes, SLOT_HEAD_BYTES + first.bytes.length)
    assert.deepEqual(await replay(files), [1])
  }
})

test('a frame that does not chain from its predecessor is corruption', async () => {
  const [file] = journal([[100]])
  assert.ok(file !== undefined)
  const first = frame(1, 0, new Uint8Array(100).fill(2))
  const stranger = frame(2, (first.crc ^ 1) >>> 0, new Uint8Array(10))
  file.set(stranger.bytes, SLOT_HEAD_BYTES + first.bytes.length)
  await assert.rejects(replay([file]), FormatError)
})

test('each file from the cursor on is read once, those before it not at all', async () => {
  const files = journal([[100], [100], [100], [100], [100]])
  const loads = files.map(() => 0)
  const slots = slotsOf(files).map((slot, i) => ({
    ...slot,
    load: () => {
      loads[i]!++
      return slot.load()
    },
  }))
  // The fourth is missing, so that the fifth is beyond what can be reached.
  slots.splice(3, 1)
  const [first, second] = [frame(1, 0, new Uint8Array(100).fill(2)), files[1]]
  assert.ok(second !== undefined)
  const cursor = {
    generation: GENERATION,
    nextLsn: 2,
    previousCrc: first.crc,
    sequence: 2,
    position: SLOT_HEAD_BYTES,
  }
  await assert.rejects(
    replayJournal(slots, cursor, () => {}),
    /beyond what can be reached/,
  )
  assert.deepEqual(loads, [0, 1, 1, 0, 1])
})

test('a newer journal version is refused with both numbers', () => {
  const head = encodeSlotHead({ generation: GENERATION, sequence: 1, capacity: 1, firstLsn: 1 })
  const newer = new Uint8Array(head)
  newer[5] = 9
  new DataView(newer.buffer).setUint32(
    SLOT_HEAD_BYTES - 4,
    crc32c(newer.subarray(0, SLOT_HEAD_BYTES - 4)),
  )
  assert.throws(() => decodeSlotHead(newer), /version 9 is newer than 2/)
})

test('a head that is torn is no head', () => {
  const head = encodeSlotHead({ generation: GENERATION, sequence: 1, capacity: 1, firstLsn: 1 })
  assert.notEqual(decodeSlotHead(head), undefined)
  for (let at = 0; at < SLOT_HEAD_BYTES; at++) {
    const torn = new Uint8Array(head)
    torn[at]! ^= 4
    assert.equal(decodeSlotHead(torn), undefined, `byte ${at}`)
  }
})

test('epochs and offsets stay themselves through a frame', async () => {
  const meta = new ByteWriter()
  const record = {
    type: 'truncate',
    incarnation: 3,
    epoch: asLeaderEpoch(-1),
    offset: asOffset(Number.MAX_SAFE_INTEGER),
    keptBytes: 0,
  } as const
  encodeRecord(meta, record)
  const head = encodeFrameHead(
    { dataBytes: 0, records: 1, generation: GENERATION, lsn: 1, previousCrc: 0 },
    meta.view(),
  )
  const [file] = journal([[]])
  assert.ok(file !== undefined)
  file.set(head.bytes, SLOT_HEAD_BYTES)
  file.set(meta.view(), SLOT_HEAD_BYTES + FRAME_HEAD_BYTES)
  const seen: unknown[] = []
  const cursor = {
    generation: GENERATION,
    nextLsn: 1,
    previousCrc: 0,
    sequence: 1,
    position: SLOT_HEAD_BYTES,
  }
  await replayJournal(slotsOf([file]), cursor, (each) => seen.push(...each.records))
  assert.deepEqual(seen, [{ record, place: undefined }])
})
