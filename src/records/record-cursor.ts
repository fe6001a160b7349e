// Walks the records of one batch's (uncompressed) payload without allocating, and checks each against its bounds: the one
// place where the record layout is read. Layout: Kafka's `DefaultRecord` (KIP-98). Stricter than Kafka's in that a null has
// length -1, not just any negative one, and that a varint must fit its type.

export class RecordCursor {
  /** Of the current record. */
  offsetDelta = 0
  /** A safe integer. */
  timestampDelta = 0
  keyAt = 0
  /** -1: null. */
  keyBytes = -1
  valueAt = 0
  /** -1: null. */
  valueBytes = -1
  headerCount = 0
  /** Where the headers start: per header a key length varint and bytes, a value length varint (-1: null) and bytes. */
  headersAt = 0
  /** Why `next` returned false, when it was not the end of the payload. */
  fault: string | undefined
  /** Where the next record starts. */
  at: number
  readonly bytes: Uint8Array
  readonly #end: number
  #recordEnd = 0

  /** Over the records in `bytes[from, to)`. */
  constructor(bytes: Uint8Array, from: number, to: number) {
    this.bytes = bytes
    this.at = from
    this.#end = to
    this.#recordEnd = to
  }

  /** Moves to the next record. False at the end of the payload and on a fault. */
  next(): boolean {
    if (this.at >= this.#end || this.fault !== undefined) return false
    this.#recordEnd = this.#end
    const length = this.#varint()
    if (length < 0 || length > this.#end - this.at) return this.#fail(`a record of ${length} bytes`)
    this.#recordEnd = this.at + length
    // The attributes byte: unused, and ignored as Kafka does.
    this.at++
    this.timestampDelta = this.#varlong()
    this.offsetDelta = this.#varint()
    this.keyBytes = this.#varint()
    this.keyAt = this.at
    if (!this.#skip(this.keyBytes)) return this.#fail(`a key of ${this.keyBytes} bytes`)
    this.valueBytes = this.#varint()
    this.valueAt = this.at
    if (!this.#skip(this.valueBytes)) return this.#fail(`a value of ${this.valueBytes} bytes`)
    this.headerCount = this.#varint()
    this.headersAt = this.at
    if (this.headerCount !== 0 && !this.#skipHeaders()) return false
    if (this.fault !== undefined) return false
    if (this.at !== this.#recordEnd) return this.#fail('a record ends before or after its length')
    return true
  }

  /** The headers of the current record. The subarrays share the payload's memory. */
  headers(): RecordHeader[] {
    const resumeAt = this.at
    const headers: RecordHeader[] = []
    this.at = this.headersAt
    for (let i = 0; i < this.headerCount; i++) {
      const keyBytes = this.#varint()
      const key = this.bytes.subarray(this.at, this.at + keyBytes)
      this.at += keyBytes
      const valueBytes = this.#varint()
      const value = valueBytes < 0 ? null : this.bytes.subarray(this.at, this.at + valueBytes)
      this.at += Math.max(valueBytes, 0)
      headers.push({ key, value })
    }
    this.at = resumeAt
    return headers
  }

  #skipHeaders(): boolean {
    const count = this.headerCount
    // Every header takes at least two bytes, so a count beyond the rest is known false before the loop.
    if (count < 0 || count > this.#recordEnd - this.at) return this.#fail(`${count} headers`)
    for (let i = 0; i < count; i++) {
      const keyBytes = this.#varint()
      if (keyBytes < 0 || !this.#skip(keyBytes))
        return this.#fail(`a header key of ${keyBytes} bytes`)
      const valueBytes = this.#varint()
      if (!this.#skip(valueBytes)) return this.#fail(`a header value of ${valueBytes} bytes`)
    }
    return true
  }

  /** Over `length` bytes; -1 stands for null. False when they do not lie in the record. */
  #skip(length: number): boolean {
    if (length < 0) return length === -1
    if (length > this.#recordEnd - this.at) return false
    this.at += length
    return true
  }

  #varint(): number {
    const bytes = this.bytes
    let at = this.at
    // Beyond the buffer a read gives undefined, which counts as 0 and is caught by the check of `at` below.
    let byte = bytes[at++]!
    if (byte < 0x80) {
      if (at > this.#recordEnd) return this.#faultValue('a record is cut off')
      this.at = at
      return (byte >>> 1) ^ -(byte & 1)
    }
    let zigzag = byte & 0x7f
    for (let shift = 7; ; shift += 7) {
      if (at >= this.#recordEnd) return this.#faultValue('a record is cut off')
      byte = bytes[at++]!
      if (shift === 28 && byte > 0x0f) return this.#faultValue('a varint exceeds 32 bits')
      zigzag |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    this.at = at
    return (zigzag >>> 1) ^ -(zigzag & 1)
  }

  #varlong(): number {
    const bytes = this.bytes
    let at = this.at
    if (at >= this.#recordEnd) return this.#faultValue('a record is cut off')
    let byte = bytes[at++]!
    const negative = (byte & 1) === 1
    let magnitude = (byte & 0x7f) >>> 1
    for (let scale = 64; byte >= 0x80; scale *= 128) {
      if (at >= this.#recordEnd) return this.#faultValue('a record is cut off')
      if (at - this.at >= 10) return this.#faultValue('a varlong exceeds 64 bits')
      byte = bytes[at++]!
      magnitude += (byte & 0x7f) * scale
    }
    if (!Number.isSafeInteger(magnitude)) return this.#faultValue('a timestamp is out of range')
    this.at = at
    return negative ? -magnitude - 1 : magnitude
  }

  #fail(fault: string): false {
    this.fault ??= fault
    return false
  }

  #faultValue(fault: string): number {
    this.fault ??= fault
    return -1
  }
}

export interface RecordHeader {
  /** UTF-8, as it travels. */
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}
