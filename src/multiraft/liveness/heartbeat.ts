// The one message of liveness and its bytes: what a node tells a peer at each interval, however many groups they share.
// Everything but the head is small numbers, and whatever a peer has confirmed is not said again.
//
//   version u8 | flags u8 | from boot, to boot: length u8, UTF-8 | varints as in `encodeHead` | the parts that flags name
//
// A varint is LEB128 of a non-negative safe integer, in its shortest form, so that one message has one byte string. The
// decoder trusts no count and no length, and takes nothing but the whole frame.

import { assert } from '../../base/assert.ts'
import { asLeaderEpoch, asLogId, type LeaderEpoch, type LogId } from '../../base/brand.ts'

export const HEARTBEAT_VERSION = 1
/** A longer frame is refused. */
export const HEARTBEAT_BYTES_MAX = 32 << 10
export const STATUS_BYTES_MAX = 1 << 10
export const BOOT_ID_BYTES_MAX = 64
export const GROUP_ID_BYTES_MAX = 64
/** What one frame spends on a list's news. With both lists, status and head it stays below HEARTBEAT_BYTES_MAX. */
export const CLAIM_NEWS_BYTES_MAX = 16 << 10
export const OBJECTION_NEWS_BYTES_MAX = 8 << 10

const EPOCH_MAX = 0x7fff_ffff
const VARINT_BYTES_MAX = 8

/** One step of the list of the groups that the sender leads. */
export interface ClaimNews {
  readonly version: number
  readonly group: LogId
  /** Undefined: leads it no more. */
  readonly epoch: LeaderEpoch | undefined
}

/**
 * `unknown`: the sender can't vouch for its epoch of the group (not a member, not opened yet, suspect), so it must not be
 * counted. `withdrawn`: neither holds any more.
 */
export type Objection = LeaderEpoch | 'unknown' | 'withdrawn'

/** One step of the list of what the sender has against the receiver's claims. */
export interface ObjectionNews {
  readonly version: number
  /** The claim's version in the receiver's list. */
  readonly claim: number
  readonly objection: Objection
}

/** The steps after version `after` up to `through`, without those that later ones have replaced. */
export interface News<T> {
  readonly after: number
  readonly through: number
  readonly entries: readonly T[]
}

/** What the sender has from the receiver, in this pairing of sessions. */
export interface Receipt {
  /** The last frame received; 0: none. */
  readonly seq: number
  /** That frame's `timeUs`, and how long ago it came. */
  readonly timeUs: number
  readonly heldUs: number
  /** The versions of the receiver's lists and of its status that the sender has taken in. */
  readonly claims: number
  readonly objections: number
  readonly status: number
  /** The last round of the receiver's that the sender has seen: this frame answers it. */
  readonly round: number
}

export interface Heartbeat {
  readonly fromBoot: string
  /** A frame for an earlier process of the receiver's node is none of the receiver's business. */
  readonly toBoot: string
  /** Grows with each connection and each silence; both lists begin anew. */
  readonly session: number
  /** The receiver's, as the sender knows it; 0: not yet. The rest counts only where it is right. */
  readonly echoSession: number
  readonly seq: number
  readonly timeUs: number
  /** Answer at once, not with the next heartbeat. */
  readonly urgent: boolean
  /** The sender's last read round. */
  readonly round: number
  readonly receipt: Receipt
  /** The version of the sender's objections: its answer to a round counts once they are taken in up to here. */
  readonly objectionsVersion: number
  readonly claims: News<ClaimNews> | undefined
  readonly objections: News<ObjectionNews> | undefined
  readonly status: { readonly version: number; readonly bytes: Uint8Array } | undefined
}

const FLAG = { urgent: 1, claims: 2, objections: 4, status: 8 } as const
const FLAGS_ALL = 15

/** An upper bound of what a claim takes in a frame. */
export function claimBytesMax(group: LogId): number {
  return Buffer.byteLength(group) + 1 + VARINT_BYTES_MAX + 5
}

/** The same of an objection. */
export const objectionBytesMax = 2 * VARINT_BYTES_MAX + 5

export function encodeHeartbeat(heartbeat: Heartbeat): Uint8Array {
  const { claims, objections, status, urgent } = heartbeat
  const out = new Writer()
  out.u8(HEARTBEAT_VERSION)
  out.u8(
    (urgent ? FLAG.urgent : 0) |
      (claims === undefined ? 0 : FLAG.claims) |
      (objections === undefined ? 0 : FLAG.objections) |
      (status === undefined ? 0 : FLAG.status),
  )
  encodeHead(out, heartbeat)
  if (claims !== undefined) {
    encodeNews(out, claims, ({ group, epoch }) => {
      out.text(group)
      out.varint(epoch === undefined ? 0 : epoch + 1)
    })
  }
  if (objections !== undefined) {
    encodeNews(out, objections, ({ claim, objection }) => {
      out.varint(claim)
      out.varint(objection === 'withdrawn' ? 0 : objection === 'unknown' ? 1 : objection + 2)
    })
  }
  if (status !== undefined) {
    out.varint(status.version)
    out.varint(status.bytes.length)
    out.bytes(status.bytes)
  }
  return out.finish()
}

function encodeHead(out: Writer, heartbeat: Heartbeat): void {
  const { receipt } = heartbeat
  out.text(heartbeat.fromBoot)
  out.text(heartbeat.toBoot)
  out.varint(heartbeat.session)
  out.varint(heartbeat.echoSession)
  out.varint(heartbeat.seq)
  out.varint(heartbeat.timeUs)
  out.varint(heartbeat.round)
  out.varint(receipt.seq)
  out.varint(receipt.timeUs)
  out.varint(receipt.heldUs)
  out.varint(receipt.claims)
  out.varint(receipt.objections)
  out.varint(receipt.status)
  out.varint(receipt.round)
  out.varint(heartbeat.objectionsVersion)
}

function encodeNews<T extends { readonly version: number }>(
  out: Writer,
  news: News<T>,
  encodeEntry: (entry: T) => void,
): void {
  out.varint(news.after)
  out.varint(news.through)
  out.varint(news.entries.length)
  let version = news.after
  for (const entry of news.entries) {
    assert(entry.version > version && entry.version <= news.through, 'news are in order')
    out.varint(entry.version - version)
    version = entry.version
    encodeEntry(entry)
  }
}

/** Undefined for bytes that are no such message, or one of a newer version. Bytes of `status` are a view of the frame. */
export function decodeHeartbeat(frame: Uint8Array): Heartbeat | undefined {
  if (frame.length > HEARTBEAT_BYTES_MAX) return undefined
  try {
    return decode(new Reader(frame))
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}

function decode(input: Reader): Heartbeat {
  if (input.u8() !== HEARTBEAT_VERSION) throw new Malformed()
  const flags = input.u8()
  if (flags > FLAGS_ALL) throw new Malformed()
  const head = decodeHead(input)
  const claims = (flags & FLAG.claims) === 0 ? undefined : decodeNews(input, decodeClaim)
  const objections =
    (flags & FLAG.objections) === 0 ? undefined : decodeNews(input, decodeObjection)
  const status = (flags & FLAG.status) === 0 ? undefined : decodeStatus(input)
  input.end()
  return { ...head, urgent: (flags & FLAG.urgent) !== 0, claims, objections, status }
}

function decodeHead(input: Reader): Omit<Heartbeat, 'urgent' | 'claims' | 'objections' | 'status'> {
  return {
    fromBoot: input.text(BOOT_ID_BYTES_MAX),
    toBoot: input.text(BOOT_ID_BYTES_MAX),
    session: input.varint(),
    echoSession: input.varint(),
    seq: input.varint(),
    timeUs: input.varint(),
    round: input.varint(),
    receipt: {
      seq: input.varint(),
      timeUs: input.varint(),
      heldUs: input.varint(),
      claims: input.varint(),
      objections: input.varint(),
      status: input.varint(),
      round: input.varint(),
    },
    objectionsVersion: input.varint(),
  }
}

function decodeNews<T>(input: Reader, decodeEntry: (input: Reader, version: number) => T): News<T> {
  const after = input.varint()
  const through = input.varint()
  const count = input.varint()
  // Each entry takes three bytes at least; a count that can't be true is not looped over.
  if (through < after || count > through - after || count * 3 > input.remaining) {
    throw new Malformed()
  }
  const entries: T[] = []
  let version = after
  for (let i = 0; i < count; i++) {
    const step = input.varint()
    version += step
    if (step === 0 || version > through) throw new Malformed()
    entries.push(decodeEntry(input, version))
  }
  return { after, through, entries }
}

function decodeClaim(input: Reader, version: number): ClaimNews {
  const group = asLogId(input.text(GROUP_ID_BYTES_MAX))
  const code = input.varint()
  if (code > EPOCH_MAX + 1) throw new Malformed()
  return { version, group, epoch: code === 0 ? undefined : asLeaderEpoch(code - 1) }
}

function decodeObjection(input: Reader, version: number): ObjectionNews {
  const claim = input.varint()
  const code = input.varint()
  if (code > EPOCH_MAX + 2) throw new Malformed()
  const objection = code === 0 ? 'withdrawn' : code === 1 ? 'unknown' : asLeaderEpoch(code - 2)
  return { version, claim, objection }
}

function decodeStatus(input: Reader): { version: number; bytes: Uint8Array } {
  const version = input.varint()
  const length = input.varint()
  if (length > STATUS_BYTES_MAX) throw new Malformed()
  return { version, bytes: input.bytes(length) }
}

class Malformed extends Error {
  override readonly name = 'Malformed'
}

class Writer {
  #buffer = Buffer.allocUnsafe(512)
  #length = 0

  u8(value: number): void {
    this.#reserve(1)
    this.#buffer[this.#length++] = value
  }

  varint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, () => `no varint: ${value}`)
    this.#reserve(VARINT_BYTES_MAX)
    let rest = value
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#buffer[this.#length++] = rest
  }

  /** At most 255 bytes. */
  text(value: string): void {
    const length = Buffer.byteLength(value)
    assert(length > 0 && length <= 0xff, `an id of ${length} bytes`)
    this.#reserve(1 + length)
    this.#buffer[this.#length++] = length
    this.#length += this.#buffer.write(value, this.#length, 'utf8')
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length)
    this.#buffer.set(value, this.#length)
    this.#length += value.length
  }

  /** The bytes are the caller's: the writer is used once. */
  finish(): Uint8Array {
    assert(this.#length <= HEARTBEAT_BYTES_MAX, `a heartbeat of ${this.#length} bytes`)
    return this.#buffer.subarray(0, this.#length)
  }

  #reserve(count: number): void {
    const need = this.#length + count
    if (need <= this.#buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(need, this.#buffer.length * 2))
    this.#buffer.copy(grown, 0, 0, this.#length)
    this.#buffer = grown
  }
}

class Reader {
  readonly #bytes: Uint8Array
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get remaining(): number {
    return this.#bytes.length - this.#at
  }

  u8(): number {
    const value = this.#bytes[this.#at]
    if (value === undefined) throw new Malformed()
    this.#at += 1
    return value
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if ((byte === 0 && i > 0) || !Number.isSafeInteger(value)) throw new Malformed()
        return value
      }
      scale *= 0x80
    }
    throw new Malformed()
  }

  /** 1 to `bytesMax` bytes of UTF-8. */
  text(bytesMax: number): string {
    const length = this.u8()
    if (length === 0 || length > bytesMax) throw new Malformed()
    const bytes = this.bytes(length)
    try {
      return this.#utf8.decode(bytes)
    } catch {
      // Not UTF-8: as malformed as anything else.
      throw new Malformed()
    }
  }

  bytes(count: number): Uint8Array {
    if (count > this.remaining) throw new Malformed()
    const at = this.#at
    this.#at += count
    return this.#bytes.subarray(at, at + count)
  }

  end(): void {
    if (this.remaining > 0) throw new Malformed()
  }
}
