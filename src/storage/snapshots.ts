// Snapshots of derived state beside a log: `<offset>-<epoch>.snapshot`. One that the log does not hold the position of is as
// good as none. Which stay: the newest two of the settled ones (no truncation takes them), and of the others the oldest and
// the newest. So once a settled one was there at or above the log start, the oldest that the log holds is settled: it is no
// newer than that one, or it is the one that took its place.
//
// Format: "CHSN", version u16, 0 u16, epoch i32, offset i64, body bytes u32, CRC-32C of the body u32, body.

import { assert } from '../base/assert.ts'
import { crc32c } from '../base/crc32c.ts'
import { asLeaderEpoch, asOffset, type Offset } from '../base/brand.ts'
import { comparePositions, type Position } from '../base/position.ts'
import { DiskError, type Disk } from '../env/disk.ts'
import type { Logger } from '../env/env.ts'
import { ByteReader, ByteWriter, FormatError } from './byte-io.ts'
import { readFileIfThere, unlinkIfThere, writeFileWhole } from './files.ts'
import { listIfThere } from './log-files.ts'
import type { Snapshot, Snapshots, SnapshotSurvey, StoredLog } from './store.ts'

const MAGIC = 0x4348534e
const VERSION = 1
const KEPT = 2

export class SnapshotFiles implements Snapshots {
  readonly #disk: Disk
  readonly #logger: Logger
  readonly #log: StoredLog
  readonly #directory: string
  readonly #ready: () => Promise<void>
  #last: Promise<boolean> = Promise.resolve(true)
  #waiting: Snapshot | undefined
  #settled: Position | undefined
  /** Adopted, and the log has not come there yet. */
  #adopted: Position | undefined

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

  adopt(at: Position, bytes: Uint8Array): Promise<boolean> {
    this.#last = this.#last.then(() => {
      this.#adopted = at
      return this.#write({ at, bytes })
    })
    return this.#last
  }

  settled(upTo: Position): void {
    this.#settled = upTo
  }

  async latest(upTo: Offset): Promise<Snapshot | undefined> {
    const { held, read } = await this.survey()
    for (const at of held.toReversed()) {
      const found = at.offset > upTo ? undefined : await read(at)
      if (found !== undefined) return found
    }
    return undefined
  }

  async survey(): Promise<SnapshotSurvey> {
    await this.#last
    const all = (await this.#names()).map(positionOf)
    return {
      held: all.filter((at) => this.#holds(at)),
      ahead: all.filter((at) => this.#isAhead(at)),
      read: (at) => this.#read(at),
    }
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    await this.#last
  }

  #holds(at: Position): boolean {
    return this.#log.epochs.holds(at, this.#log.end.offset) && at.offset >= this.#log.logStart
  }

  #isAhead(at: Position): boolean {
    return comparePositions(at, this.#log.end) > 0 && at.offset > this.#log.end.offset
  }

  async #read(at: Position): Promise<Snapshot | undefined> {
    try {
      const file = await readFileIfThere(this.#disk, `${this.#directory}/${nameOf(at)}`)
      const bytes = file === undefined ? undefined : decodeSnapshot(file, at)
      if (file !== undefined && bytes === undefined) {
        this.#logger.warn('a snapshot is damaged, or of a later version', {
          directory: this.#directory,
          offset: at.offset,
        })
      }
      return bytes === undefined ? undefined : { at, bytes }
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#logger.warn('a snapshot could not be read', {
        directory: this.#directory,
        why: error.code,
      })
      return undefined
    }
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

  /** What a truncation left above the end goes too; an adopted one waits there for the log. */
  async #removeOld(): Promise<void> {
    const names = await this.#names()
    const held = names.filter((name) => this.#holds(positionOf(name)))
    const isSettled = (name: string): boolean =>
      this.#settled !== undefined && comparePositions(positionOf(name), this.#settled) <= 0
    const settled = held.filter(isSettled)
    const others = held.filter((name) => !isSettled(name))
    const kept = new Set([...settled.slice(-KEPT), ...others.slice(0, 1), ...others.slice(-1)])
    if (this.#adopted !== undefined && this.#isAhead(this.#adopted)) kept.add(nameOf(this.#adopted))
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

/** Of a name that is one. */
function positionOf(name: string): Position {
  const at = parseName(name)
  assert(at !== undefined, `a snapshot called ${name}`)
  return at
}

function byPosition(a: string, b: string): number {
  const left = positionOf(a)
  const right = positionOf(b)
  return left.offset - right.offset || left.epoch - right.epoch
}
