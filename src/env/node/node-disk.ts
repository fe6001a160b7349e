// The disk port over node:fs.

import * as fs from 'node:fs'
import { dirname } from 'node:path'
import {
  DiskError,
  type DirectoryEntry,
  type Disk,
  type DiskFile,
  type DiskLane,
  type EntryKind,
  type OpenMode,
} from '../disk.ts'
import { lockFile } from './disk-lock.ts'
import { NodeFile } from './node-file.ts'
import { DiskPool, type Callback } from './pool.ts'

const { O_CREAT, O_DIRECTORY, O_EXCL, O_RDONLY, O_RDWR } = fs.constants
const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  read: O_RDONLY,
  write: O_RDWR,
  create: O_RDWR | O_CREAT | O_EXCL,
}

export class NodeDisk implements Disk {
  readonly #pool = new DiskPool()

  async open(
    path: string,
    mode: OpenMode,
    options: { readonly lane?: DiskLane } = {},
  ): Promise<DiskFile> {
    const lane = options.lane ?? 'background'
    const fd = await this.#pool.run<number>(lane, 'open', path, (done) =>
      fs.open(path, OPEN_FLAGS[mode], 0o644, done),
    )
    return new NodeFile(this.#pool, lane, path, fd)
  }

  async list(path: string): Promise<DirectoryEntry[]> {
    const found = await this.#run<fs.Dirent[]>('list', path, (done) =>
      fs.readdir(path, { withFileTypes: true }, done),
    )
    return found
      .map((entry): DirectoryEntry => ({ name: entry.name, kind: kindOf(entry) }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async stat(
    path: string,
  ): Promise<{ readonly kind: EntryKind; readonly bytes: number } | undefined> {
    try {
      const stats = await this.#run<fs.Stats>('stat', path, (done) => fs.stat(path, done))
      return { kind: kindOf(stats), bytes: stats.size }
    } catch (error) {
      if (error instanceof DiskError && error.code === 'ENOENT') return undefined
      throw error
    }
  }

  /** Not Node's own `recursive`: that never ends where a parent exists and still refuses (/proc). */
  async makeDirectory(path: string): Promise<void> {
    if (await this.#madeDirectory(path)) return
    await this.makeDirectory(dirname(path))
    if (await this.#madeDirectory(path)) return
    throw new DiskError('ENOENT', 'makeDirectory', path, 'nothing can be made there')
  }

  /** False when the parent is missing. */
  async #madeDirectory(path: string): Promise<boolean> {
    try {
      await this.#run<void>('makeDirectory', path, (done) =>
        fs.mkdir(path, (error) => done(error, undefined)),
      )
      return true
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      if (error.code === 'ENOENT' && dirname(path) !== path) return false
      if (error.code === 'EEXIST' && (await this.stat(path))?.kind === 'directory') return true
      throw error
    }
  }

  rename(from: string, to: string): Promise<void> {
    return this.#run<void>('rename', from, (done) =>
      fs.rename(from, to, (error) => done(error, undefined)),
    )
  }

  unlink(path: string): Promise<void> {
    return this.#run<void>('unlink', path, (done) =>
      fs.unlink(path, (error) => done(error, undefined)),
    )
  }

  removeDirectory(path: string): Promise<void> {
    return this.#run<void>('removeDirectory', path, (done) =>
      fs.rmdir(path, (error) => done(error, undefined)),
    )
  }

  async syncDirectory(path: string): Promise<void> {
    const fd = await this.#run<number>('syncDirectory', path, (done) =>
      fs.open(path, O_RDONLY | O_DIRECTORY, done),
    )
    try {
      await this.#run<void>('syncDirectory', path, (done) =>
        fs.fsync(fd, (error) => done(error, undefined)),
      )
    } finally {
      await this.#run<void>('syncDirectory', path, (done) =>
        fs.close(fd, (error) => done(error ?? null, undefined)),
      )
    }
  }

  async freeBytes(path: string): Promise<number> {
    const stats = await this.#run<fs.StatsFs>('freeBytes', path, (done) => fs.statfs(path, done))
    return stats.bavail * stats.bsize
  }

  async lock(path: string): Promise<{ release(): Promise<void> }> {
    // SQLite would name a missing directory only as "unable to open database file".
    const parent = await this.stat(dirname(path))
    if (parent === undefined) {
      throw new DiskError('ENOENT', 'lock', path, 'its directory does not exist')
    }
    const held = lockFile(path)
    // oxlint-disable-next-line require-await -- the port's form
    return { release: async () => held.release() }
  }

  #run<T>(operation: string, path: string, start: (done: Callback<T>) => void): Promise<T> {
    return this.#pool.run('background', operation, path, start)
  }
}

function kindOf(entry: { isDirectory(): boolean }): EntryKind {
  return entry.isDirectory() ? 'directory' : 'file'
}
