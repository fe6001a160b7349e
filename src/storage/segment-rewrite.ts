// A segment file written anew beside the old one: `<base>.<revision>.swap`, synced with its name before a record says that
// it counts; only after that record is durable does it take the old one's place (law R3). The state names the revision that counts, so
// that every other swap file is known to be garbage, left by an attempt without a record.

import { crc32c } from '../base/crc32c.ts'
import type { Offset } from '../base/brand.ts'
import type { Disk, DiskFile } from '../env/disk.ts'
import { openTruncated, unlinkIfThere } from './files.ts'
import { segmentFile, swapFile } from './segment-files.ts'

const COPY_BYTES = 1024 * 1024

export class SegmentRewrite {
  readonly #disk: Disk
  readonly #directory: string
  readonly #path: string
  readonly #file: DiskFile
  readonly revision: number
  #closed = false
  bytes = 0
  crc = 0

  private constructor(
    disk: Disk,
    directory: string,
    path: string,
    file: DiskFile,
    revision: number,
  ) {
    this.#disk = disk
    this.#directory = directory
    this.#path = path
    this.#file = file
    this.revision = revision
  }

  /** In place of the segment at `base`, or of it and some that follow it. Fails with DiskError. */
  static async begin(
    disk: Disk,
    directory: string,
    { base, revision }: { readonly base: Offset; readonly revision: number },
  ): Promise<SegmentRewrite> {
    const path = swapFile(directory, base, revision)
    const file = await openTruncated(disk, path)
    return new SegmentRewrite(disk, directory, path, file, revision)
  }

  /** The chunks must not change until it returns. */
  async write(chunks: readonly Uint8Array[]): Promise<void> {
    await this.#file.write(chunks, this.bytes)
    for (const chunk of chunks) {
      this.crc = crc32c(chunk, this.crc)
      this.bytes += chunk.length
    }
  }

  /** Bytes of the segment's file as it is, from `from` up to `to`. False when it has fewer. */
  async copy(base: Offset, from: number, to: number): Promise<boolean> {
    if (from >= to) return true
    const source = await this.#disk.open(segmentFile(this.#directory, base, 'log'), 'read')
    try {
      for (let at = from; at < to;) {
        const block = new Uint8Array(Math.min(COPY_BYTES, to - at))
        const read = await source.read(block, at)
        if (read < block.length) return false
        await this.write([block])
        at += read
      }
      return true
    } finally {
      await source.close()
    }
  }

  /** Durable, name and all, when it returns. */
  async finish(): Promise<void> {
    await this.#file.sync()
    await this.#close()
    await this.#disk.syncDirectory(this.#directory)
  }

  /** Whatever has become of it so far, it does not count: nothing is left of it. */
  async abandon(): Promise<void> {
    await this.#close()
    await this.remove()
  }

  /** After `finish`, where it did not come to count. */
  async remove(): Promise<void> {
    await unlinkIfThere(this.#disk, this.#path)
  }

  async #close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#file.close()
  }
}
