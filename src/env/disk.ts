// The disk port. A write is durable only after `sync` of its file returned, a created, renamed or removed name only after
// `syncDirectory` of its directory returned. What was not synced may be lost, reordered or torn by a power cut, in any
// combination; a killed process loses only what it had not handed over. Paths are absolute, with `/`.

export interface Disk {
  /**
   * `read`: must exist. `write`: must exist, for reading and writing. `create`: must not exist; reading and writing.
   * `lane` says which queue the file's reads, writes and syncs use: `commit` never waits behind background work;
   * at most two `background` operations run at a time on the node. (Default `background`.)
   */
  open(path: string, mode: OpenMode, options?: { readonly lane?: DiskLane }): Promise<DiskFile>
  /** The names in a directory, sorted by code unit; fails with ENOENT if there is none. */
  list(path: string): Promise<DirectoryEntry[]>
  /** Undefined when there is nothing of that name. */
  stat(path: string): Promise<{ readonly kind: EntryKind; readonly bytes: number } | undefined>
  /** Creates a directory and its missing parents; no error if it is there. Durable after `syncDirectory` of each parent. */
  makeDirectory(path: string): Promise<void>
  /** Atomic; replaces a file at `to`. */
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  /** The directory must be empty. */
  removeDirectory(path: string): Promise<void>
  syncDirectory(path: string): Promise<void>
  /** Bytes that can still be written in the file system that holds `path`. */
  freeBytes(path: string): Promise<number>
  /**
   * Takes `path` (a file, created if missing) for this process alone until `release` or the death of the process, however
   * it dies. Fails with `LOCKED`, naming the holder where known.
   */
  lock(path: string): Promise<{ release(): Promise<void> }>
}

export type OpenMode = 'read' | 'write' | 'create'
export type DiskLane = 'commit' | 'background'
export type EntryKind = 'file' | 'directory'
export interface DirectoryEntry {
  readonly name: string
  readonly kind: EntryKind
}

export interface DiskFile {
  /** Fills `target` from `position`; returns the bytes read, fewer than asked only at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>
  /**
   * Writes the chunks one after the other from `position`, all of them or fails (then any part may have been written).
   * The caller must not change the chunks until it returns. Extends the file where needed.
   */
  write(chunks: readonly Uint8Array[], position: number): Promise<void>
  /** fdatasync: every write that returned before the call is durable when it returns, and the size that reads need. */
  sync(): Promise<void>
  truncate(bytes: number): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
}

export type DiskErrorCode =
  | 'ENOENT'
  | 'EEXIST'
  | 'ENOSPC'
  | 'EIO'
  | 'EMFILE'
  | 'EACCES'
  | 'ENOTDIR'
  | 'ENOTEMPTY'
  | 'LOCKED'
  | 'OTHER'

/** The only error that a disk operation fails with, but for calls on a dead incarnation in the simulator. */
export class DiskError extends Error {
  override readonly name = 'DiskError'
  readonly code: DiskErrorCode
  readonly operation: string
  readonly path: string
  constructor(code: DiskErrorCode, operation: string, path: string, detail?: string) {
    super(`${operation} ${path}: ${code}${detail === undefined ? '' : ` (${detail})`}`)
    this.code = code
    this.operation = operation
    this.path = path
  }
}
