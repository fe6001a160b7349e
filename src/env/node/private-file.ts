// A small file that only its owner may read: where a program notes down how it can be told things.

import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { toDiskError } from './disk-error.ts'

/** Replaces the file as a whole. Fails with DiskError. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const next = `${path}.tmp`
  try {
    await rm(next, { force: true })
    await writeFile(next, text, { mode: 0o600, flag: 'wx' })
    await rename(next, path)
  } catch (error) {
    throw toDiskError(error, 'write', path)
  }
}

/** Undefined where there is none. Fails with DiskError. */
export async function readPrivateFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const failure = toDiskError(error, 'read', path)
    if (failure.code === 'ENOENT' || failure.code === 'ENOTDIR') return undefined
    throw failure
  }
}

/** No error where there is none. */
export async function removePrivateFile(path: string): Promise<void> {
  try {
    await rm(path, { force: true })
  } catch (error) {
    throw toDiskError(error, 'unlink', path)
  }
}
