// A lock on a file that the kernel releases however its holder dies. Node itself has no file locks; SQLite takes them
// (fcntl on Linux and macOS, LockFileEx on Windows), also between two connections of one process. The lock file is an
// otherwise empty SQLite database held in an open write transaction; its `user_version` is the holder's process id, which
// others may read meanwhile.

import type { DatabaseSync } from 'node:sqlite'
import { DiskError } from '../disk.ts'
import { toDiskError } from './disk-error.ts'

const SQLITE_BUSY = 5

export function lockFile(path: string): { release(): void } {
  const database = openDatabase(path)
  try {
    if (!begin(database)) throw new DiskError('LOCKED', 'lock', path, holderOf(database))
    recordHolder(database)
    // The transaction that records the holder had to end; another process may have come first in between.
    if (!begin(database)) throw new DiskError('LOCKED', 'lock', path, holderOf(database))
  } catch (error) {
    database.close()
    throw toDiskError(error, 'lock', path)
  }
  let held = true
  return {
    release: () => {
      if (held) database.close()
      held = false
    },
  }
}

function openDatabase(path: string): DatabaseSync {
  // Loaded only here: of the commands only a starting node needs it.
  const sqlite = process.getBuiltinModule('node:sqlite')
  try {
    return new sqlite.DatabaseSync(path, { timeout: 0 })
  } catch (error) {
    throw toDiskError(error, 'lock', path)
  }
}

function begin(database: DatabaseSync): boolean {
  try {
    database.exec('BEGIN IMMEDIATE')
    return true
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return false
    throw error
  }
}

function recordHolder(database: DatabaseSync): void {
  try {
    database.exec(`PRAGMA user_version = ${process.pid}; COMMIT`)
  } catch {
    // On a full disk the lock must still be taken; it only can't say who holds it.
    if (database.isTransaction) database.exec('ROLLBACK')
  }
}

function holderOf(database: DatabaseSync): string {
  try {
    const pid = Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0)
    if (pid === process.pid) return 'held by this process'
    return pid > 0 ? `held by process ${pid}` : 'held by another process'
  } catch {
    // The holder is just writing its id.
    return 'held by another process'
  }
}
