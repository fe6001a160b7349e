// Frames after the handshake: length u32 | CRC-32C u32 of the payload | payload, big-endian. A frame without payload is a
// sign of life and means nothing else.

import { crc32c } from '../../base/crc32c.ts'

export const FRAME_HEADER_BYTES = 8

/** The header of the frame whose payload is these chunks. */
export function frameHeader(payload: readonly Uint8Array[]): Uint8Array {
  let length = 0
  let crc = 0
  for (const chunk of payload) {
    length += chunk.byteLength
    crc = crc32c(chunk, crc)
  }
  const header = new Uint8Array(FRAME_HEADER_BYTES)
  writeU32(header, 0, length)
  writeU32(header, 4, crc)
  return header
}

/** Cuts the bytes of one connection into payloads. The first fault ends it: where the next frame begins is lost. */
export class FrameReader {
  readonly #frameBytesMax: number
  /** Of a header that a chunk's end has cut. */
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES)
  #headerFilled = 0
  /** Of announced size, where a payload goes on after the chunk that it began in. */
  #payload: Uint8Array | undefined
  #payloadFilled = 0
  #fault: string | undefined

  constructor(options: { readonly frameBytesMax: number }) {
    this.#frameBytesMax = options.frameBytesMax
  }

  get fault(): string | undefined {
    return this.#fault
  }

  /**
   * The payloads that are whole and intact now, those before a fault included. One that lies within the chunk is a view
   * of it; another is gathered in one buffer, which is allocated after its length was found to be allowed.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    const payloads: Uint8Array[] = []
    let at = 0
    while (at < chunk.byteLength && this.#fault === undefined) {
      if (this.#payload !== undefined) {
        at = this.#fill(this.#payload, chunk, at, payloads)
        continue
      }
      const taken = Math.min(FRAME_HEADER_BYTES - this.#headerFilled, chunk.byteLength - at)
      this.#header.set(chunk.subarray(at, at + taken), this.#headerFilled)
      this.#headerFilled += taken
      at += taken
      if (this.#headerFilled < FRAME_HEADER_BYTES) break
      this.#headerFilled = 0
      at = this.#begin(chunk, at, payloads)
    }
    return payloads
  }

  /** A header is whole. Returns where to go on in the chunk. */
  #begin(chunk: Uint8Array, at: number, payloads: Uint8Array[]): number {
    const length = readU32(this.#header, 0)
    if (length > this.#frameBytesMax) {
      this.#fault = `a frame of ${length} bytes, at most ${this.#frameBytesMax} are allowed`
      return at
    }
    if (length <= chunk.byteLength - at) {
      this.#finish(plainView(chunk, at, length), payloads)
      return at + length
    }
    this.#payload = plainView(Buffer.allocUnsafeSlow(length), 0, length)
    this.#payloadFilled = 0
    return at
  }

  #fill(payload: Uint8Array, chunk: Uint8Array, at: number, payloads: Uint8Array[]): number {
    const part = chunk.subarray(at, at + payload.byteLength - this.#payloadFilled)
    payload.set(part, this.#payloadFilled)
    this.#payloadFilled += part.byteLength
    if (this.#payloadFilled === payload.byteLength) {
      this.#payload = undefined
      this.#finish(payload, payloads)
    }
    return at + part.byteLength
  }

  #finish(payload: Uint8Array, payloads: Uint8Array[]): void {
    if (crc32c(payload) !== readU32(this.#header, 4)) {
      this.#fault = `the checksum of a frame of ${payload.byteLength} bytes does not match`
    } else if (payload.byteLength > 0) {
      payloads.push(payload)
    }
  }
}

/** Never a Buffer, whose `slice` does not copy. */
function plainView(bytes: Uint8Array, at: number, length: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + at, length)
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

function readU32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  )
}
