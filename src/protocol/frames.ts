// Cuts a byte stream into Kafka's frames: an int32 size, then that many bytes. Work and memory are
// bounded by what has arrived, not by what is announced, so a connection that promises a large
// frame and stays silent costs little.
//
// Room for a frame doubles with its bytes while they are few. Who bounds the memory of many connections stops reading
// during that time, or counts the frame as announced; so beyond it the frame gets its room in one piece, and each byte is
// copied about once. Much room is asked for only once much has come: the system gives pages when they are written to, but
// the garbage collector counts all of it.

import { ProtocolError } from './errors.ts'

const SIZE_BYTES = 4
const KIB = 1024
/** The room that a frame gets at first, where it needs so much. */
const FIRST_ROOM = 16 * KIB
/** Up to here, room doubles. */
const FEW_BYTES_MAX = 96 * KIB
/** Up to here, there is room for as much at least; beyond, for the whole frame. */
const MANY_BYTES_MIN = 1024 * KIB

export class FrameSplitter {
  readonly #frameBytesMax: number
  /** The first bytes of a size that a chunk boundary cut. */
  readonly #sizeBytes = new Uint8Array(SIZE_BYTES)
  #sizeFilled = 0
  /** The frame being put together, or undefined between frames. */
  #frame: Uint8Array<ArrayBuffer> | undefined
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

  /** Memory taken for a frame that is not whole yet. */
  get roomBytes(): number {
    return this.#frame?.length ?? 0
  }

  /** The size of the frame that is not whole yet, as announced; 0 between frames. */
  get announcedBytes(): number {
    return this.#frame === undefined ? 0 : this.#frameSize
  }

  /** What has come of the frame that is not whole yet; undefined where that is less than `bytesMin`. Valid until the next `push`. */
  begun(bytesMin: number): Uint8Array | undefined {
    if (this.#frame === undefined || this.#frameFilled < bytesMin) return undefined
    return this.#frame.subarray(0, this.#frameFilled)
  }

  /** The stream has ended. Gives back the room of a frame that will never be whole, without waiting for a collection. */
  discard(): void {
    this.#frame?.buffer.transfer(0)
    this.#frame = undefined
    this.#frameFilled = 0
    this.#sizeFilled = 0
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
        this.#frame = new Uint8Array(Math.min(size, Math.max(FIRST_ROOM, chunk.length - at)))
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

  /** The frame with room for `needed` bytes. */
  #grown(needed: number): Uint8Array {
    const frame = this.#frame!
    if (needed <= frame.length) return frame
    const larger = new Uint8Array(Math.min(this.#frameSize, roomFor(needed, frame.length)))
    larger.set(frame.subarray(0, this.#frameFilled))
    this.#frame = larger
    return larger
  }
}

function roomFor(needed: number, room: number): number {
  if (needed <= FEW_BYTES_MAX) return Math.max(needed, room * 2)
  return needed <= MANY_BYTES_MIN ? MANY_BYTES_MIN : Infinity
}
