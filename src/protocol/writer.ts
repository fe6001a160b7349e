// Writes Kafka's primitive types into a list of chunks. Large byte fields are referenced, not
// copied, so a fetch response carries its records from the cache to the socket untouched; the
// caller must not change them afterwards.

import { EncodeError } from './errors.ts'
import { INT64_MAX, STRING_BYTES_MAX } from './reader.ts'

const TWO_32 = 2 ** 32
/** Byte fields below this are copied: a separate chunk would cost more than the copy. */
const REFERENCE_BYTES_MIN = 1024
/** Strings up to this length are tried as ASCII first, which avoids a call out of JavaScript. */
const SHORT_STRING_MAX = 64
const UUID_TEXT = /^[A-Za-z0-9_-]{22}$/

export class Writer {
  /** The field being written, for messages only. */
  field = ''
  readonly #chunks: Uint8Array[] = []
  #chunkedBytes = 0
  #buffer: Buffer
  /** What of `#buffer` is not yet in `#chunks`: from here to `#position`. */
  #start = 0
  #position = 0

  constructor(initialBytes = 256) {
    this.#buffer = Buffer.allocUnsafe(initialBytes)
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#chunkedBytes + this.#position - this.#start
  }

  /** What was written, in order. The writer is not to be used afterwards. */
  finish(): Uint8Array[] {
    this.#seal()
    return this.#chunks
  }

  fail(reason: string): never {
    throw new EncodeError(this.field === '' ? reason : `field '${this.field}': ${reason}`)
  }

  int8(value: number): void {
    this.#check(value, -0x80, 0x7f)
    const at = this.#room(1)
    this.#buffer[at] = value
  }

  int16(value: number): void {
    this.#check(value, -0x8000, 0x7fff)
    this.#put16(value)
  }

  uint16(value: number): void {
    this.#check(value, 0, 0xffff)
    this.#put16(value)
  }

  int32(value: number): void {
    this.#check(value, -0x80000000, 0x7fffffff)
    this.#put32(this.#room(4), value)
  }

  uint32(value: number): void {
    this.#check(value, 0, 0xffffffff)
    this.#put32(this.#room(4), value)
  }

  int64(value: number): void {
    if (!Number.isSafeInteger(value)) this.fail(`${value} is not a safe integer`)
    const at = this.#room(8)
    this.#put32(at, Math.floor(value / TWO_32))
    this.#put32(at + 4, value >>> 0)
  }

  int64OrMax(value: number): void {
    if (value !== INT64_MAX) return this.int64(value)
    const at = this.#room(8)
    this.#put32(at, 0x7fffffff)
    this.#put32(at + 4, -1)
  }

  float64(value: number): void {
    if (typeof value !== 'number') this.fail(`${String(value)} is not a number`)
    const at = this.#room(8)
    this.#buffer.writeDoubleBE(value, at)
  }

  unsignedVarint(value: number): void {
    let rest = value
    const at = this.#room(5)
    let length = 0
    while (rest > 0x7f) {
      this.#buffer[at + length++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#buffer[at + length++] = rest
    this.#position = at + length
  }

  uuid(value: string): void {
    if (!UUID_TEXT.test(value))
      this.fail(`'${value}' is not a UUID of 22 URL-safe base64 characters`)
    const at = this.#room(16)
    this.#buffer.write(value, at, 'base64url')
  }

  /** Length and text; the length is a varint plus one when `compact`, an int16 otherwise. */
  string(value: string, compact: boolean): void {
    if (typeof value !== 'string') this.fail(`${String(value)} is not a string`)
    if (value.length <= SHORT_STRING_MAX && this.#shortAscii(value, compact)) return
    const length = Buffer.byteLength(value)
    if (length > STRING_BYTES_MAX) this.fail(`string of ${length} bytes`)
    if (compact) this.unsignedVarint(length + 1)
    else this.#put16(length)
    const at = this.#room(length)
    this.#buffer.write(value, at, 'utf8')
  }

  /** Copies small values and references large ones. */
  bytes(value: Uint8Array): void {
    if (value.byteLength >= REFERENCE_BYTES_MIN) return this.reference(value)
    const at = this.#room(value.byteLength)
    this.#buffer.set(value, at)
  }

  /** Puts `value` itself into the output. */
  reference(value: Uint8Array): void {
    if (value.byteLength === 0) return
    this.#seal()
    this.#chunks.push(value)
    this.#chunkedBytes += value.byteLength
  }

  /** Writes a short string if it is ASCII (and so has as many bytes as characters); otherwise takes it back. */
  #shortAscii(value: string, compact: boolean): boolean {
    const length = value.length
    const start = this.#room((compact ? 1 : 2) + length)
    let at = start
    // The compact length of a short string is a single byte; so is what the int16 holds.
    if (!compact) this.#buffer[at++] = 0
    this.#buffer[at++] = compact ? length + 1 : length
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i)
      if (code > 0x7f) {
        this.#position = start
        return false
      }
      this.#buffer[at++] = code
    }
    return true
  }

  #check(value: number, min: number, max: number): void {
    if (!Number.isInteger(value) || value < min || value > max) {
      this.fail(`${String(value)} is not an integer in ${min}..${max}`)
    }
  }

  #put16(value: number): void {
    const at = this.#room(2)
    this.#buffer[at] = value >> 8
    this.#buffer[at + 1] = value
  }

  #put32(at: number, value: number): void {
    const buffer = this.#buffer
    buffer[at] = value >> 24
    buffer[at + 1] = value >> 16
    buffer[at + 2] = value >> 8
    buffer[at + 3] = value
  }

  /** Claims `size` bytes and returns where they begin. May replace `#buffer`, so it is called before that is read. */
  #room(size: number): number {
    if (this.#position + size > this.#buffer.length) {
      this.#seal()
      this.#buffer = Buffer.allocUnsafe(Math.max(size, this.#buffer.length * 2))
      this.#start = 0
      this.#position = 0
    }
    const at = this.#position
    this.#position = at + size
    return at
  }

  #seal(): void {
    if (this.#position === this.#start) return
    const chunk = new Uint8Array(
      this.#buffer.buffer,
      this.#buffer.byteOffset + this.#start,
      this.#position - this.#start,
    )
    this.#chunks.push(chunk)
    this.#chunkedBytes += chunk.byteLength
    this.#start = this.#position
  }
}
