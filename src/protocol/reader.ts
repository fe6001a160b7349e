// Reads Kafka's primitive types from one message. Every length is checked against the bytes that
// are left before anything is allocated; whatever does not fit throws ProtocolError and nothing
// else, but for a message of which only the beginning is here.

import { MissingBytes, ProtocolError } from './errors.ts'

/** Kafka refuses longer strings in both encodings (MessageGenerator's string reader). */
export const STRING_BYTES_MAX = 0x7fff

/**
 * Array elements in one message, in all its arrays together. An element can take a single byte on the wire and a hundred in
 * memory, so the size of the frame alone does not bound what decoding it takes.
 */
export const ELEMENTS_MAX = 1_000_000

/**
 * Kafka's `Long.MAX_VALUE` as the number nearest to it (2⁶³). Only fields of type `int64OrMax` may hold it; every other
 * 64-bit value is a safe integer.
 */
export const INT64_MAX = 2 ** 63

const TWO_32 = 2 ** 32

export class Reader {
  /** The field being read, for messages only. */
  field = ''
  readonly #bytes: Buffer
  #position = 0
  #elementsLeft = ELEMENTS_MAX
  /** Reads stop here: the end of the message, or of the tagged field being read. */
  #end: number
  /** As `#end`, or where the bytes that are here end, if that is before. */
  #readable: number

  /**
   * `messageBytes`: the size of the message where `bytes` is only its beginning. What would not fit in it is refused as ever;
   * what would, and is not here, throws MissingBytes.
   */
  constructor(bytes: Uint8Array, messageBytes = bytes.byteLength) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#end = messageBytes
    this.#readable = bytes.byteLength
  }

  get position(): number {
    return this.#position
  }

  get remaining(): number {
    return this.#end - this.#position
  }

  fail(reason: string): never {
    const where = this.field === '' ? '' : `field '${this.field}': `
    throw new ProtocolError(`${where}${reason} (byte ${this.#position})`)
  }

  /** Confines reading to the next `size` bytes; returns what `leave` needs to undo it. */
  enter(size: number): number {
    if (size > this.remaining) this.fail(`${size} bytes announced, ${this.remaining} left`)
    const outer = this.#end
    this.#endAt(this.#position + size)
    return outer
  }

  leave(outer: number): void {
    if (this.#position !== this.#end) this.fail(`${this.remaining} bytes too many`)
    this.#endAt(outer)
  }

  #endAt(end: number): void {
    this.#end = end
    this.#readable = Math.min(end, this.#bytes.length)
  }

  skip(size: number): void {
    this.#take(size)
  }

  /** Checks the length of an array, each element of which takes at least `elementBytesMin`, before any of it is read. */
  claimElements(length: number, elementBytesMin: number): void {
    if (length * elementBytesMin > this.remaining) this.fail(`array of ${length} elements`)
    this.#elementsLeft -= length
    if (this.#elementsLeft < 0) this.fail(`more than ${ELEMENTS_MAX} array elements`)
  }

  /** The rest of the message, not copied. */
  rest(): Uint8Array {
    return this.#view(this.remaining)
  }

  int8(): number {
    const at = this.#take(1)
    return (this.#bytes[at]! << 24) >> 24
  }

  uint8(): number {
    return this.#bytes[this.#take(1)]!
  }

  int16(): number {
    const at = this.#take(2)
    return ((this.#bytes[at]! << 24) >> 16) | this.#bytes[at + 1]!
  }

  uint16(): number {
    const at = this.#take(2)
    return (this.#bytes[at]! << 8) | this.#bytes[at + 1]!
  }

  int32(): number {
    return this.#int32At(this.#take(4))
  }

  uint32(): number {
    return this.#int32At(this.#take(4)) >>> 0
  }

  /** Throws for values that are not safe integers. */
  int64(): number {
    const at = this.#take(8)
    const value = this.#int32At(at) * TWO_32 + (this.#int32At(at + 4) >>> 0)
    if (!Number.isSafeInteger(value)) this.fail('64-bit value beyond ±2^53')
    return value
  }

  /** As `int64`, and `INT64_MAX` for exactly `Long.MAX_VALUE`. */
  int64OrMax(): number {
    const at = this.#position
    if (this.remaining >= 8 && this.#int32At(at) === 0x7fffffff && this.#int32At(at + 4) === -1) {
      this.#position += 8
      return INT64_MAX
    }
    return this.int64()
  }

  float64(): number {
    return this.#bytes.readDoubleBE(this.#take(8))
  }

  /** 32 bits in at most five bytes. */
  unsignedVarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.uint8()
      if (shift === 28 && byte > 0x0f) this.fail('varint of more than 32 bits')
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    return this.fail('varint of more than five bytes')
  }

  /** A UUID in Kafka's text form: 22 characters of URL-safe base64. */
  uuid(): string {
    const at = this.#take(16)
    return this.#bytes.toString('base64url', at, at + 16)
  }

  /** Malformed UTF-8 becomes U+FFFD, as in Kafka. */
  string(length: number): string {
    if (length > STRING_BYTES_MAX) this.fail(`string of ${length} bytes`)
    const at = this.#take(length)
    return this.#bytes.toString('utf8', at, at + length)
  }

  /** Not copied: a view of the message. */
  bytes(length: number): Uint8Array {
    return this.#view(length)
  }

  /** Length of a string, bytes or array in the compact (flexible) encoding: -1 stands for null. */
  compactLength(): number {
    return this.unsignedVarint() - 1
  }

  #view(length: number): Uint8Array {
    const at = this.#take(length)
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + at, length)
  }

  #int32At(at: number): number {
    const bytes = this.#bytes
    return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
  }

  /** Steps over `size` bytes and returns where they begin. */
  #take(size: number): number {
    const at = this.#position
    if (size > this.#readable - at) this.#refuse(size)
    this.#position = at + size
    return at
  }

  #refuse(size: number): never {
    if (size > this.remaining) this.fail(`${size} bytes needed, ${this.remaining} left`)
    throw new MissingBytes(`${size} bytes needed, ${this.#readable - this.#position} are here`)
  }
}
