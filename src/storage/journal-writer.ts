// Writes frames, one at a time: the next only after the sync of the last returned (law R4). A failed write or sync ends
// the process: what the disk holds is then unknown.

import { assert } from '../base/assert.ts'
import type { Host } from '../env/env.ts'
import { ByteWriter } from './byte-io.ts'
import type { JournalCursor } from './checkpoint.ts'
import {
  encodeFrameHead,
  encodeSlotHead,
  FRAME_HEAD_BYTES,
  frameBytes,
  type Generation,
  SLOT_HEAD_BYTES,
} from './journal-frame.ts'
import { encodeRecord, type JournalRecord } from './journal-record.ts'
import type { JournalSlots } from './journal-slots.ts'
import type { Piece } from './log-state.ts'

/** Blobs up to this size are copied into one buffer with the records; larger ones are written from where they lie. */
const COPY_BYTES_MAX = 32 * 1024
const STAGING_KEPT_BYTES = 1024 * 1024

export interface Blob {
  readonly piece: Piece
  readonly data: Uint8Array
  readonly crc: number
}

/** The records of one commit group, in order; the blobs of its appends and copies, in the same order. */
export class Frame {
  readonly #meta: ByteWriter
  readonly blobs: Blob[] = []
  records = 0
  dataBytes = 0

  constructor(meta: ByteWriter) {
    this.#meta = meta
    meta.reset()
  }

  get meta(): Uint8Array {
    return this.#meta.view()
  }

  get bytes(): number {
    return frameBytes(this.#meta.length, this.dataBytes)
  }

  /** The size it would have with `metaBytes` and `dataBytes` more. */
  bytesWith(metaBytes: number, dataBytes: number): number {
    return frameBytes(this.#meta.length + metaBytes, this.dataBytes + dataBytes)
  }

  add(record: JournalRecord, blob?: Blob): void {
    encodeRecord(this.#meta, record)
    this.records++
    if (blob === undefined) return
    this.blobs.push(blob)
    this.dataBytes += blob.data.length
  }
}

export class JournalWriter {
  readonly #slots: JournalSlots
  readonly #host: Host
  readonly #generation: Generation
  #nextLsn: number
  #previousCrc = 0
  #durableLsn: number
  #busy = false
  #staging = Buffer.alloc(0)
  readonly #meta = new ByteWriter(4096)
  readonly #startSequence: number
  readonly #waiting: { readonly lsn: number; readonly resolve: () => void }[] = []
  syncs = 0

  constructor(
    slots: JournalSlots,
    host: Host,
    start: { readonly generation: Generation; readonly nextLsn: number },
  ) {
    this.#slots = slots
    this.#host = host
    this.#generation = start.generation
    this.#nextLsn = start.nextLsn
    this.#durableLsn = start.nextLsn - 1
    this.#startSequence = slots.nextSequence - 1
  }

  get nextLsn(): number {
    return this.#nextLsn
  }

  get durableLsn(): number {
    return this.#durableLsn
  }

  /** An empty frame to fill; only one at a time. */
  frame(): Frame {
    return new Frame(this.#meta)
  }

  /** Where the frame after the last one begun will be. */
  cursor(): JournalCursor {
    const active = this.#slots.active
    return {
      generation: this.#generation,
      nextLsn: this.#nextLsn,
      previousCrc: this.#previousCrc,
      sequence: active?.sequence ?? this.#startSequence,
      position: active?.position ?? SLOT_HEAD_BYTES,
    }
  }

  /** Resolves once every frame up to `lsn` is durable. */
  async whenDurable(lsn: number): Promise<void> {
    if (this.#durableLsn >= lsn) return
    await new Promise<void>((resolve) => this.#waiting.push({ lsn, resolve }))
  }

  /** The frame's pieces have their places when it returns its promise, which settles when the frame is durable. */
  commit(frame: Frame): Promise<void> {
    assert(!this.#busy, 'one group at a time')
    this.#busy = true
    const bytes = frame.bytes
    const { slot, begun } = this.#slots.place(bytes)
    const lsn = this.#nextLsn++
    const head = encodeFrameHead(
      {
        dataBytes: frame.dataBytes,
        records: frame.records,
        generation: this.#generation,
        lsn,
        previousCrc: this.#previousCrc,
      },
      frame.meta,
    )
    this.#previousCrc = head.crc
    const at = slot.position
    this.#place(frame, slot.sequence, at)
    slot.position += bytes
    const slotHead = begun
      ? encodeSlotHead({
          generation: this.#generation,
          sequence: slot.sequence,
          capacity: slot.capacity,
          firstLsn: lsn,
        })
      : undefined
    const chunks = this.#chunks(frame, head.bytes, slotHead)
    return this.#write(slot.file, chunks, begun ? 0 : at, lsn)
  }

  async #write(
    file: { write(c: readonly Uint8Array[], p: number): Promise<void>; sync(): Promise<void> },
    chunks: readonly Uint8Array[],
    position: number,
    lsn: number,
  ): Promise<void> {
    try {
      await file.write(chunks, position)
      await file.sync()
    } catch (error) {
      this.#host.fatal('the journal could not be written and synced', error)
    }
    this.syncs++
    this.#durableLsn = lsn
    this.#busy = false
    while ((this.#waiting[0]?.lsn ?? Infinity) <= lsn) this.#waiting.shift()!.resolve()
    if (this.#staging.length > STAGING_KEPT_BYTES) this.#staging = Buffer.alloc(0)
  }

  #place(frame: Frame, sequence: number, frameAt: number): void {
    let position = frameAt + FRAME_HEAD_BYTES + frame.meta.length
    for (const blob of frame.blobs) {
      blob.piece.blob.place = { sequence, position, bytes: blob.data.length, crc: blob.crc }
      position += blob.data.length
    }
  }

  /** The frame as it goes to disk: small parts copied together, large blobs as they are. */
  #chunks(frame: Frame, head: Uint8Array, slotHead: Uint8Array | undefined): Uint8Array[] {
    const meta = frame.meta
    const padding = frame.bytes - FRAME_HEAD_BYTES - meta.length - frame.dataBytes
    let small = SLOT_HEAD_BYTES + head.length + meta.length + padding
    for (const { data } of frame.blobs) if (data.length <= COPY_BYTES_MAX) small += data.length
    if (this.#staging.length < small) this.#staging = Buffer.allocUnsafe(small)
    const staging = this.#staging
    const chunks: Uint8Array[] = []
    let from = 0
    let to = 0
    const copy = (bytes: Uint8Array): void => {
      staging.set(bytes, to)
      to += bytes.length
    }
    if (slotHead !== undefined) copy(slotHead)
    copy(head)
    copy(meta)
    for (const { data } of frame.blobs) {
      if (data.length <= COPY_BYTES_MAX) {
        copy(data)
        continue
      }
      if (to > from) chunks.push(staging.subarray(from, to))
      from = to
      chunks.push(data)
    }
    staging.fill(0, to, to + padding)
    to += padding
    if (to > from) chunks.push(staging.subarray(from, to))
    return chunks
  }
}
