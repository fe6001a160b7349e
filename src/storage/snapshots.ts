// Snapshots of derived state beside a log: `<offset>-<epoch>.snapshot`, the newest two. They are caches: one that is
// damaged, or that the log does not hold the position of, is as good as none.
//
// Format: "CHSN", version u16, 0 u16, epoch i32, offset i64, body bytes u32, CRC-32C of the body u32, body.

import { crc32c } from '../base/crc32c.ts'
import { asLeaderEpoch, asOffset, type Offset } from '../base/brand.ts'
import type { Position } from '../base/position.ts'
import { DiskError, type Disk } from '../env/disk.ts'
import type { Logger } from '../env/env.ts'
import { ByteReader, ByteWriter, FormatError } from './byte-io.ts'
import { readFileIfThere, unlinkIfThere, writeFileWhole } from './files.ts'
import { listIfThere } from './log-files.ts'
import type { Snapshots, StoredLog } from './store.ts'

const MAGIC = 0x4348534e
const VERSION = 1
const KEPT = 2

interface Snapshot {
  readonly at: Position
  readonly bytes: Uint8Array
}

export class SnapshotFiles implements Snapshots {
  readonly #disk: Disk
  readonly #logger: Logger
  readonly #log: StoredLog
  readonly #directory: string
  readonly #ready: () => Promise<void>
  #last: Promise<boolean> = Promise.resolve(true)
  #waiting: Snapshot | undefined

  /** `ready` makes sure that the log's folder exists. */
  constructor(deps: {
    readonly disk: Disk
    readonly logger: Logger
    readonly log: StoredLog
    readonly directory: string
    readonly ready: () => Promise<void>
  }) {
    this.#disk = deps.disk
    this.#logger = deps.logger
    this.#log = deps.log
    this.#directory = deps.directory
    this.#ready = deps.ready
  }

  /** Of several that come faster than they are written, the last one counts. */
  save(at: Position, bytes: Uint8Array): Promise<boolean> {
    const idle = this.#waiting === undefined
    this.#waiting = { at, bytes }
    if (!idle) return this.#last
    this.#last = this.#last.then(async () => {
      const snapshot = this.#waiting
      this.#waiting = undefined
      return snapshot !== undefined && (await this.#write(snapshot))
    })
    return this.#last
  }

  async latest(upTo: Offset): Promise<Snapshot | undefined> {
    await this.#last
    for (const name of (await this.#names()).toReversed()) {
      const at = parseName(name)
      if (at === undefined || at.offset > upTo || !this.#holds(at)) continue
      const bytes = await readFileIfThere(this.#disk, `${this.#directory}/${name}`)
      const body = bytes === undefined ? undefined : decodeSnapshot(bytes, at)
      if (body !== undefined) return { at, bytes: body }
    }
    return undefined
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    await this.#last
  }

  #holds(at: Position): boolean {
    return this.#log.epochs.holds(at, this.#log.end.offset) && at.offset >= this.#log.logStart
  }

  async #write({ at, bytes }: Snapshot): Promise<boolean> {
    try {
      await this.#ready()
      await writeFileWhole(this.#disk, this.#directory, nameOf(at), encodeSnapshot(at, bytes))
      await this.#removeOld()
      return true
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#logger.warn('a snapshot was not written', {
        directory: this.#directory,
        why: error.code,
      })
      return false
    }
  }

  /** All but the newest of those that could still be given back. */
  async #removeOld(): Promise<void> {
    const names = await this.#names()
    const usable = names.filter((name) => {
      const at = parseName(name)
      return at !== undefined && this.#holds(at)
    })
    const kept = new Set(usable.slice(-KEPT))
    for (const name of names) {
      if (!kept.has(name)) await unlinkIfThere(this.#disk, `${this.#directory}/${name}`)
    }
  }

  /** Ascending in offset, then epoch. */
  async #names(): Promise<string[]> {
    const names = (await listIfThere(this.#disk, this.#directory)) ?? []
    return names.filter((name) => parseName(name) !== undefined).toSorted(byPosition)
  }
}

export function encodeSnapshot(at: Position, body: Uint8Array): Uint8Array {
  const out = new ByteWriter(body.length + 32)
  out.u32(MAGIC)
  out.u16(VERSION)
  out.u16(0)
  out.i32(at.epoch)
  out.i64(at.offset)
  out.u32(body.length)
  out.u32(crc32c(body))
  out.bytes(body)
  return out.view()
}

/** Undefined when it is damaged, of another position, or of a version not known here. */
export function decodeSnapshot(bytes: Uint8Array, at: Position): Uint8Array | undefined {
  try {
    const input = new ByteReader(bytes)
    if (input.u32() !== MAGIC || input.u16() !== VERSION) return undefined
    input.u16()
    if (input.i32() !== at.epoch || input.i64() !== at.offset) return undefined
    const length = input.u32()
    const crc = input.u32()
    const body = input.bytes(length)
    return crc32c(body) === crc ? body : undefined
  } catch (error) {
    if (error instanceof FormatError) return undefined
    throw error
  }
}

const nameOf = (at: Position): string =>
  `${String(at.offset).padStart(20, '0')}-${at.epoch}.snapshot`

function parseName(name: string): Position | undefined {
  const match = /^(\d{20})-(-?\d+)\.snapshot$/.exec(name)
  if (match === null) return undefined
  return { offset: asOffset(Number(match[1])), epoch: asLeaderEpoch(Number(match[2])) }
}

function byPosition(a: string, b: string): number {
  const left = parseName(a)
  const right = parseName(b)
  if (left === undefined || right === undefined) return 0
  return left.offset - right.offset || left.epoch - right.epoch
}
