// Big-endian readers and writers for the store's own file formats. Offsets and positions are 64-bit on disk and safe
// integers in memory; the edge is here, and it is checked here.

import { assert } from '../base/assert.ts'

const TWO_32 = 0x1_0000_0000

/** Thrown by the reader for bytes that can't be what they claim; callers turn it into their own error. */
export class FormatError extends Error {
  override readonly name = 'FormatError'
}

/** Written by a later version: nothing is damaged. */
export class NewerFormatError extends FormatError {}

export class ByteWriter {
  #buffer: Buffer
  #length = 0

  constructor(capacity = 1024) {
    this.#buffer = Buffer.allocUnsafe(capacity)
  }

  get length(): number {
    return this.#length
  }

  /** A view of what was written; the next write may move or overwrite it. */
  view(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  reset(): void {
    this.#length = 0
  }

  u8(value: number): void {
    const at = this.#grow(1)
    this.#buffer.writeUInt8(value, at)
  }

  u16(value: number): void {
    const at = this.#grow(2)
    this.#buffer.writeUInt16BE(value, at)
  }

  u32(value: number): void {
    const at = this.#grow(4)
    this.#buffer.writeUInt32BE(value, at)
  }

  i32(value: number): void {
    const at = this.#grow(4)
    this.#buffer.writeInt32BE(value, at)
  }

  /** A signed 64-bit integer within ±(2^53 - 1). */
  i64(value: number): void {
    assert(Number.isSafeInteger(value), () => `not a safe integer: ${value}`)
    const at = this.#grow(8)
    const high = Math.floor(value / TWO_32)
    this.#buffer.writeInt32BE(high, at)
    this.#buffer.writeUInt32BE(value - high * TWO_32, at + 4)
  }

  /** UTF-8 with a 16-bit length. */
  string(value: string): void {
    const bytes = Buffer.from(value, 'utf8')
    assert(bytes.length <= 0xffff, 'string too long for the format')
    this.u16(bytes.length)
    this.bytes(bytes)
  }

  bytes(value: Uint8Array): void {
    const at = this.#grow(value.length)
    this.#buffer.set(value, at)
  }

  #grow(count: number): number {
    const at = this.#length
    const need = at + count
    if (need > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(need, this.#buffer.length * 2))
      this.#buffer.copy(grown, 0, 0, at)
      this.#buffer = grown
    }
    this.#length = need
    return at
  }
}

export class ByteReader {
  readonly #buffer: Buffer
  #at: number

  constructor(bytes: Uint8Array, at = 0) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#at = at
  }

  get position(): number {
    return this.#at
  }

  get remaining(): number {
    return this.#buffer.length - this.#at
  }

  u8(): number {
    return this.#buffer.readUInt8(this.#take(1))
  }

  u16(): number {
    return this.#buffer.readUInt16BE(this.#take(2))
  }

  u32(): number {
    return this.#buffer.readUInt32BE(this.#take(4))
  }

  i32(): number {
    return this.#buffer.readInt32BE(this.#take(4))
  }

  i64(): number {
    const at = this.#take(8)
    const value = this.#buffer.readInt32BE(at) * TWO_32 + this.#buffer.readUInt32BE(at + 4)
    if (!Number.isSafeInteger(value)) throw new FormatError(`integer out of range at byte ${at}`)
    return value
  }

  string(): string {
    const length = this.u16()
    const at = this.#take(length)
    return this.#buffer.toString('utf8', at, at + length)
  }

  /** A view, not a copy. */
  bytes(count: number): Uint8Array {
    const at = this.#take(count)
    return this.#buffer.subarray(at, at + count)
  }

  #take(count: number): number {
    if (count > this.remaining)
      throw new FormatError(`ends early: ${count} bytes wanted at byte ${this.#at}`)
    const at = this.#at
    this.#at += count
    return at
  }
}
