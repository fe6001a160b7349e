// Planted errors of the disk and of time.

import type { Disk, DiskFile } from '../../src/env/disk.ts'
import { DiskError } from '../../src/env/disk.ts'
import type { Env } from '../../src/env/env.ts'
import type { Bug } from './bugs.ts'

type FileWrap = (file: DiskFile, path: string, env: Env) => DiskFile

export function withFiles(env: Env, wrap: FileWrap): Env {
  const open: Disk['open'] = async (path, mode, options) =>
    wrap(await env.disk.open(path, mode, options), path, env)
  return withDisk(env, { open })
}

export function withDisk(env: Env, changed: Partial<Disk>): Env {
  const { disk } = env
  const same: Disk = {
    open: (path, mode, options) => disk.open(path, mode, options),
    list: (path) => disk.list(path),
    stat: (path) => disk.stat(path),
    makeDirectory: (path) => disk.makeDirectory(path),
    rename: (from, to) => disk.rename(from, to),
    unlink: (path) => disk.unlink(path),
    removeDirectory: (path) => disk.removeDirectory(path),
    syncDirectory: (path) => disk.syncDirectory(path),
    freeBytes: (path) => disk.freeBytes(path),
    lock: (path) => disk.lock(path),
  }
  return { ...env, disk: { ...same, ...changed } }
}

export function withFile(file: DiskFile, changed: Partial<DiskFile>): DiskFile {
  const same: DiskFile = {
    read: (target, position) => file.read(target, position),
    write: (chunks, position) => file.write(chunks, position),
    sync: () => file.sync(),
    truncate: (bytes) => file.truncate(bytes),
    size: () => file.size(),
    close: () => file.close(),
  }
  return { ...same, ...changed }
}

const isJournal = (path: string): boolean => path.includes('/journal/')

export const DISK_BUGS: readonly Bug[] = [
  {
    name: 'sync-does-nothing',
    what: 'fsync returns without having done anything',
    wrap: () => (env) => withFiles(env, (file) => withFile(file, { sync: async () => {} })),
  },
  {
    name: 'segments-not-synced',
    what: 'only the journal is ever synced',
    wrap: () => (env) =>
      withFiles(env, (file, path) =>
        isJournal(path) ? file : withFile(file, { sync: async () => {} }),
      ),
  },
  {
    name: 'names-not-synced',
    what: 'new names of files are not made durable',
    wrap: () => (env) => withDisk(env, { syncDirectory: async () => {} }),
  },
  {
    name: 'early-acknowledgement',
    what: 'the journal says that it is durable while its fsync is still running',
    wrap: () => (env) =>
      withFiles(env, (file, path) => {
        if (!isJournal(path)) return file
        const sync = async (): Promise<void> => {
          env.timers.after(30, () => {
            file.sync().catch((error: unknown) => env.log.debug(String(error)))
          })
        }
        return withFile(file, { sync })
      }),
  },
  {
    name: 'write-dropped',
    what: 'one write in 300 is not done',
    wrap: (chance) => (env) =>
      withFiles(env, (file) =>
        withFile(file, {
          write: async (chunks, position) => {
            if (chance.below(300) > 0) await file.write(chunks, position)
          },
        }),
      ),
  },
  {
    name: 'write-misplaced',
    what: 'one write in 500 goes to the sector before',
    wrap: (chance) => (env) =>
      withFiles(env, (file) =>
        withFile(file, {
          write: (chunks, position) =>
            file.write(chunks, chance.below(500) > 0 ? position : Math.max(0, position - 512)),
        }),
      ),
  },
  {
    name: 'full-disk-ignored',
    what: 'a disk that is full says that it has room, and what it could not write is taken for done',
    needs: { faults: ['disk-full', 'power-cut'] },
    wrap: () => (env) =>
      withDisk(
        withFiles(env, (file) =>
          withFile(file, {
            write: async (chunks, position) => {
              try {
                await file.write(chunks, position)
              } catch (error) {
                if (!(error instanceof DiskError) || error.code !== 'ENOSPC') throw error
              }
            },
          }),
        ),
        { freeBytes: () => Promise.resolve(2 ** 40) },
      ),
  },
  {
    name: 'sync-error-ignored',
    what: 'an fsync that failed is taken for done',
    needs: { faults: ['sync-error', 'power-cut'] },
    wrap: () => (env) =>
      withFiles(env, (file) =>
        withFile(file, {
          sync: () => file.sync().catch((error: unknown) => env.log.debug(String(error))),
        }),
      ),
  },
  {
    name: 'read-flips-a-bit',
    what: 'one read in 50 has a wrong bit',
    wrap: (chance) => (env) =>
      withFiles(env, (file) =>
        withFile(file, {
          read: async (target, position) => {
            const count = await file.read(target, position)
            if (count > 0 && chance.below(50) === 0) {
              const at = chance.below(count)
              target[at] = (target[at] ?? 0) ^ 4
            }
            return count
          },
        }),
      ),
  },
  {
    name: 'timers-never-fire',
    what: 'the node is never woken by a timer',
    wrap: () => (env) => ({
      ...env,
      timers: {
        soon: (callback) => env.timers.soon(callback),
        after: () => ({ cancel: () => {} }),
      },
    }),
  },
]
