// One open file of the real disk.

import * as fs from 'node:fs'
import { assert } from '../../base/assert.ts'
import { DiskError, type DiskFile, type DiskLane } from '../disk.ts'
import type { DiskPool } from './pool.ts'

/** Linux takes at most this many buffers in one writev (IOV_MAX). */
const CHUNKS_PER_WRITE_MAX = 1024
/** Linux moves at most 2^31 - 4096 bytes in one call. */
const BYTES_PER_CALL_MAX = 1 << 30

export class NodeFile implements DiskFile {
  readonly #pool: DiskPool
  readonly #lane: DiskLane
  readonly #path: string
  readonly #fd: number
  #running = 0
  #closing = false
  #whenIdle: (() => void) | undefined

  constructor(pool: DiskPool, lane: DiskLane, path: string, fd: number) {
    this.#pool = pool
    this.#lane = lane
    this.#path = path
    this.#fd = fd
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.#during('read', async () => {
      let filled = 0
      while (filled < target.byteLength) {
        const offset = filled
        const length = Math.min(target.byteLength - offset, BYTES_PER_CALL_MAX)
        const got = await this.#pool.run<number>(this.#lane, 'read', this.#path, (done) => {
          fs.read(this.#fd, target, offset, length, position + offset, done)
        })
        if (got === 0) break
        filled += got
      }
      return filled
    })
  }

  write(chunks: readonly Uint8Array[], position: number): Promise<void> {
    return this.#during('write', async () => {
      let at = position
      let rest = chunks
      while (rest.length > 0) {
        const part = rest.slice(0, CHUNKS_PER_WRITE_MAX)
        const written = await this.#writeSome(part, at)
        at += written
        rest = dropBytes(rest, written)
      }
    })
  }

  #writeSome(chunks: readonly Uint8Array[], position: number): Promise<number> {
    return this.#pool.run<number>(this.#lane, 'write', this.#path, (done) => {
      const [first] = chunks
      if (chunks.length === 1 && first !== undefined) {
        fs.write(this.#fd, first, 0, Math.min(first.byteLength, BYTES_PER_CALL_MAX), position, done)
      } else {
        fs.writev(this.#fd, chunks, position, done)
      }
    })
  }

  sync(): Promise<void> {
    return this.#during('sync', () =>
      this.#pool.run<void>(this.#lane, 'sync', this.#path, (done) =>
        fs.fdatasync(this.#fd, toVoid(done)),
      ),
    )
  }

  truncate(bytes: number): Promise<void> {
    return this.#during('truncate', () =>
      this.#pool.run<void>(this.#lane, 'truncate', this.#path, (done) =>
        fs.ftruncate(this.#fd, bytes, toVoid(done)),
      ),
    )
  }

  async size(): Promise<number> {
    const stats = await this.#during('size', () =>
      this.#pool.run<fs.Stats>(this.#lane, 'size', this.#path, (done) => fs.fstat(this.#fd, done)),
    )
    return stats.size
  }

  /** Waits for the calls in progress: the descriptor's number could otherwise be reused under them. */
  async close(): Promise<void> {
    if (this.#closing) throw this.#closedError('close')
    this.#closing = true
    if (this.#running > 0) await new Promise<void>((resolve) => (this.#whenIdle = resolve))
    await this.#pool.run<void>(this.#lane, 'close', this.#path, (done) =>
      fs.close(this.#fd, toVoid(done)),
    )
  }

  async #during<T>(operation: string, body: () => Promise<T>): Promise<T> {
    if (this.#closing) throw this.#closedError(operation)
    this.#running += 1
    try {
      return await body()
    } finally {
      this.#running -= 1
      if (this.#running === 0) this.#whenIdle?.()
    }
  }

  #closedError(operation: string): DiskError {
    return new DiskError('OTHER', operation, this.#path, 'the file is closed')
  }
}

/** What is left of `chunks` after the first `bytes`, without empty chunks. */
export function dropBytes(chunks: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let index = 0
  let left = bytes
  for (;;) {
    const chunk = chunks[index]
    if (chunk === undefined) {
      assert(left === 0, `${left} bytes more written than given`)
      return []
    }
    if (chunk.byteLength > left) {
      return left === 0 ? chunks.slice(index) : [chunk.subarray(left), ...chunks.slice(index + 1)]
    }
    left -= chunk.byteLength
    index += 1
  }
}

function toVoid(
  done: (error: NodeJS.ErrnoException | null, value: void) => void,
): (error: NodeJS.ErrnoException | null) => void {
  return (error) => done(error, undefined)
}
