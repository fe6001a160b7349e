// Cuts a byte stream into Kafka's frames: an int32 size, then that many bytes. Work and memory are
// bounded by what has arrived, not by what is announced, so a connection that promises a large
// frame and stays silent costs little.

import { ProtocolError } from './errors.ts'

const SIZE_BYTES = 4
/** A frame up to this size is allocated at once; a larger one grows by doubling as its bytes arrive. */
const ALLOCATE_AT_ONCE_MAX = 1024 * 1024

export class FrameSplitter {
  readonly #frameBytesMax: number
  /** The first bytes of a size that a chunk boundary cut. */
  readonly #sizeBytes = new Uint8Array(SIZE_BYTES)
  #sizeFilled = 0
  /** The frame being put together, or undefined between frames. */
  #frame: Uint8Array | undefined
  #frameSize = 0
  #frameFilled = 0

  /** Frames larger than `frameBytesMax` (`socket.request.max.bytes`) are refused. */
  constructor(options: { readonly frameBytesMax: number }) {
    this.#frameBytesMax = options.frameBytesMax
  }

  /** Bytes held for a frame that is not whole yet. */
  get bufferedBytes(): number {
    return this.#sizeFilled + this.#frameFilled
  }

  /** The size of the frame that is not whole yet, as announced; 0 between frames. */
  get announcedBytes(): number {
    return this.#frame === undefined ? 0 : this.#frameSize
  }

  /**
   * The frames that are whole now, without their sizes. A frame that lies within one chunk is a view of it, so the chunk
   * must not change afterwards. Throws `ProtocolError` for a negative or too large size; the stream is lost then.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    const frames: Uint8Array[] = []
    let at = 0
    while (at < chunk.length) {
      if (this.#frame !== undefined) {
        at = this.#fill(chunk, at, frames)
        continue
      }
      while (this.#sizeFilled < SIZE_BYTES && at < chunk.length) {
        this.#sizeBytes[this.#sizeFilled++] = chunk[at++]!
      }
      if (this.#sizeFilled < SIZE_BYTES) break
      this.#sizeFilled = 0
      const size = this.#checkedSize()
      if (chunk.length - at >= size) {
        frames.push(chunk.subarray(at, at + size))
        at += size
      } else {
        this.#frameSize = size
        this.#frameFilled = 0
        this.#frame = new Uint8Array(Math.min(size, ALLOCATE_AT_ONCE_MAX))
      }
    }
    return frames
  }

  #checkedSize(): number {
    const [a, b, c, d] = this.#sizeBytes as unknown as [number, number, number, number]
    const size = (a << 24) | (b << 16) | (c << 8) | d
    if (size < 0 || size > this.#frameBytesMax) {
      throw new ProtocolError(`frame of ${size} bytes, at most ${this.#frameBytesMax} are allowed`)
    }
    return size
  }

  /** Copies from the chunk into the frame; returns where the chunk's next frame begins. */
  #fill(chunk: Uint8Array, at: number, frames: Uint8Array[]): number {
    const taken = Math.min(chunk.length - at, this.#frameSize - this.#frameFilled)
    const frame = this.#grown(this.#frameFilled + taken)
    frame.set(chunk.subarray(at, at + taken), this.#frameFilled)
    this.#frameFilled += taken
    if (this.#frameFilled === this.#frameSize) {
      frames.push(frame)
      this.#frame = undefined
      this.#frameFilled = 0
    }
    return at + taken
  }

  /** The frame with room for `needed` bytes; doubling keeps the copying linear. */
  #grown(needed: number): Uint8Array {
    const frame = this.#frame!
    if (needed <= frame.length) return frame
    const larger = new Uint8Array(Math.min(this.#frameSize, Math.max(needed, frame.length * 2)))
    larger.set(frame.subarray(0, this.#frameFilled))
    this.#frame = larger
    return larger
  }
}
