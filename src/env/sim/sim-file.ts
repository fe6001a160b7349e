// One open file of the simulated disk.

import { DiskError, type DiskFile, type DiskLane } from '../disk.ts'
import { SECTOR_BYTES, type SimInode } from './sim-inode.ts'
import type { OperationPlan, SimDisk } from './sim-disk.ts'

export class SimFile implements DiskFile {
  readonly #disk: SimDisk
  readonly #inode: SimInode
  readonly #path: string
  readonly #lane: DiskLane
  readonly #writable: boolean
  #running = 0
  #closing = false
  #whenIdle: (() => void) | undefined

  constructor(disk: SimDisk, inode: SimInode, path: string, lane: DiskLane, writable: boolean) {
    this.#disk = disk
    this.#inode = inode
    this.#path = path
    this.#lane = lane
    this.#writable = writable
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.#perform('read', target.byteLength, {
      effect: () => this.#inode.read(target, position),
    })
  }

  write(chunks: readonly Uint8Array[], position: number): Promise<void> {
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0)
    const part = (): void => this.#writePart(chunks, position, this.#disk.chance.below(bytes + 1))
    return this.#perform('write', bytes, {
      effect: () => {
        this.#checkWritable('write')
        this.#writeWhole(chunks, position)
      },
      failing: part,
      dying: part,
    })
  }

  #writeWhole(chunks: readonly Uint8Array[], position: number): void {
    const { files } = this.#disk
    const [only] = chunks
    const bytes = only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks)
    const end = position + bytes.byteLength
    const growth = bytes.byteLength === 0 ? 0 : Math.max(0, end - this.#inode.bytes)
    if (growth > files.freeBytes) {
      this.#writePart([bytes], position, Math.max(0, bytes.byteLength - growth + files.freeBytes))
      throw new DiskError('ENOSPC', 'write', this.#path, 'no space left on the simulated disk')
    }
    this.#inode.write(bytes, position)
    files.grew(this.#inode, growth)
  }

  /** The first `count` bytes at most, where there is space for them. */
  #writePart(chunks: readonly Uint8Array[], position: number, count: number): void {
    if (!this.#writable) return
    const bytes = Buffer.concat(chunks).subarray(0, count - (count % SECTOR_BYTES))
    const before = this.#inode.bytes
    if (position + bytes.byteLength - before > this.#disk.files.freeBytes) return
    this.#inode.write(bytes, position)
    this.#disk.files.grew(this.#inode, this.#inode.bytes - before)
  }

  sync(): Promise<void> {
    const mark = this.#inode.mark()
    return this.#perform('sync', 0, {
      effect: () => this.#inode.sync(mark),
      failing: () => this.#inode.failSync(mark, this.#disk.chance),
    })
  }

  truncate(bytes: number): Promise<void> {
    return this.#perform('truncate', 0, {
      effect: () => {
        this.#checkWritable('truncate')
        const growth = bytes - this.#inode.bytes
        if (growth > this.#disk.files.freeBytes) {
          throw new DiskError('ENOSPC', 'truncate', this.#path)
        }
        this.#inode.truncate(bytes)
        this.#disk.files.grew(this.#inode, growth)
      },
    })
  }

  size(): Promise<number> {
    return this.#perform('size', 0, { effect: () => this.#inode.bytes })
  }

  async close(): Promise<void> {
    if (this.#closing) throw this.#closedError('close')
    this.#closing = true
    if (this.#running > 0) await new Promise<void>((resolve) => (this.#whenIdle = resolve))
    await this.#disk.perform({
      operation: 'close',
      path: this.#path,
      lane: this.#lane,
      effect: () => {},
    })
  }

  async #perform<T>(
    operation: string,
    bytes: number,
    plan: Pick<OperationPlan<T>, 'effect' | 'failing' | 'dying'>,
  ): Promise<T> {
    if (this.#closing) throw this.#closedError(operation)
    this.#running += 1
    try {
      return await this.#disk.perform({
        operation,
        path: this.#path,
        lane: this.#lane,
        bytes,
        ...plan,
      })
    } finally {
      this.#running -= 1
      if (this.#running === 0) this.#whenIdle?.()
    }
  }

  #checkWritable(operation: string): void {
    if (!this.#writable) throw new DiskError('OTHER', operation, this.#path, 'opened for reading')
  }

  #closedError(operation: string): DiskError {
    return new DiskError('OTHER', operation, this.#path, 'the file is closed')
  }
}
