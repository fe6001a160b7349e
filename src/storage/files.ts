// Small whole files: read at once, replaced atomically.

import { DiskError, type Disk } from '../env/disk.ts'

/** Undefined when there is no such file. */
export async function readFileIfThere(disk: Disk, path: string): Promise<Uint8Array | undefined> {
  try {
    return await readWholeFile(disk, path)
  } catch (error) {
    if (isDiskError(error, 'ENOENT')) return undefined
    throw error
  }
}

export async function readWholeFile(disk: Disk, path: string): Promise<Uint8Array> {
  const file = await disk.open(path, 'read')
  try {
    const bytes = new Uint8Array(await file.size())
    const read = await file.read(bytes, 0)
    return bytes.subarray(0, read)
  } finally {
    await file.close()
  }
}

/**
 * Replaces `directory/name` atomically; durable when it returns. A crash leaves the old or the new content, and perhaps a
 * temporary file, which the next call overwrites.
 */
export async function writeFileWhole(
  disk: Disk,
  directory: string,
  name: string,
  bytes: Uint8Array,
  beforeRename?: () => Promise<void>,
): Promise<void> {
  const temporary = `${directory}/${name}.tmp`
  const file = await openTruncated(disk, temporary)
  try {
    await file.write([bytes], 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await beforeRename?.()
  await disk.rename(temporary, `${directory}/${name}`)
  await disk.syncDirectory(directory)
}

/** An empty file of that name, created or cut. */
export async function openTruncated(
  disk: Disk,
  path: string,
): Promise<Awaited<ReturnType<Disk['open']>>> {
  try {
    return await disk.open(path, 'create')
  } catch (error) {
    if (!isDiskError(error, 'EEXIST')) throw error
  }
  const file = await disk.open(path, 'write')
  try {
    await file.truncate(0)
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

export async function unlinkIfThere(disk: Disk, path: string): Promise<void> {
  try {
    await disk.unlink(path)
  } catch (error) {
    if (!isDiskError(error, 'ENOENT')) throw error
  }
}

export function isDiskError(error: unknown, code: DiskError['code']): boolean {
  return error instanceof DiskError && error.code === code
}
