// Descriptors of segment and index files, in a bounded LRU: nothing stays open per partition.

import type { Disk, DiskFile } from '../env/disk.ts'

interface Entry {
  readonly file: Promise<DiskFile>
  users: number
  /** Out of the cache; closed when the last user is done. */
  forgotten: boolean
}

export class FileCache {
  readonly #disk: Disk
  readonly #max: number
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>()

  constructor(disk: Disk, max: number) {
    this.#disk = disk
    this.#max = max
  }

  get open(): number {
    return this.#entries.size
  }

  /** Runs `body` on the file, which must exist, open for reading and writing. */
  async use<T>(path: string, body: (file: DiskFile) => Promise<T>): Promise<T> {
    return this.#with(path, () => this.#disk.open(path, 'write'), body)
  }

  /** Runs `body` on the new, empty file; what was there under that name is gone. */
  async create<T>(path: string, body: (file: DiskFile) => Promise<T>): Promise<T> {
    await this.forget(path)
    return this.#with(path, () => this.#disk.open(path, 'create'), body)
  }

  /** Closes the file once nobody uses it; to be called before it is unlinked. */
  async forget(path: string): Promise<void> {
    const entry = this.#entries.get(path)
    if (entry === undefined) return
    this.#entries.delete(path)
    await this.#forgetEntry(entry)
  }

  async close(): Promise<void> {
    for (const path of [...this.#entries.keys()]) await this.forget(path)
  }

  async #with<T>(
    path: string,
    open: () => Promise<DiskFile>,
    body: (file: DiskFile) => Promise<T>,
  ): Promise<T> {
    let entry = this.#entries.get(path)
    if (entry === undefined) {
      entry = { file: open(), users: 0, forgotten: false }
    } else {
      this.#entries.delete(path)
    }
    this.#entries.set(path, entry)
    entry.users++
    try {
      const file = await this.#opened(path, entry)
      return await body(file)
    } finally {
      entry.users--
      await this.#trim(entry)
    }
  }

  async #opened(path: string, entry: Entry): Promise<DiskFile> {
    try {
      return await entry.file
    } catch (error) {
      if (this.#entries.get(path) === entry) this.#entries.delete(path)
      entry.forgotten = false
      throw error
    }
  }

  async #trim(done: Entry): Promise<void> {
    if (done.forgotten && done.users === 0) {
      done.forgotten = false
      await closeEntry(done)
    }
    while (this.#entries.size > this.#max) {
      const idle = [...this.#entries].find(([, entry]) => entry.users === 0)
      if (idle === undefined) return
      this.#entries.delete(idle[0])
      await closeEntry(idle[1])
    }
  }

  async #forgetEntry(entry: Entry): Promise<void> {
    if (entry.users > 0) entry.forgotten = true
    else await closeEntry(entry)
  }
}

async function closeEntry(entry: Entry): Promise<void> {
  const file = await entry.file
  await file.close()
}
