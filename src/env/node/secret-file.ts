// A file that holds a secret: small, and for its owner's eyes.

import { open } from 'node:fs/promises'
import { DiskError } from '../disk.ts'
import { toDiskError } from './disk-error.ts'

export interface SecretFile {
  readonly text: string
  /** Any user of this machine can read it. */
  readonly worldReadable: boolean
}

const BYTES_MAX = 4096

/** Fails with DiskError where it can't be read, or is too large to be a secret. */
export async function readSecretFile(path: string): Promise<SecretFile> {
  try {
    const file = await open(path, 'r')
    try {
      const { mode } = await file.stat()
      const content = Buffer.alloc(BYTES_MAX + 1)
      let length = 0
      for (let read = -1; read !== 0 && length <= BYTES_MAX; length += read) {
        read = (await file.read(content, length)).bytesRead
      }
      if (length > BYTES_MAX) {
        throw new DiskError('OTHER', 'read', path, `more than ${BYTES_MAX} bytes`)
      }
      return { text: content.toString('utf8', 0, length), worldReadable: (mode & 0o004) !== 0 }
    } finally {
      await file.close()
    }
  } catch (error) {
    throw toDiskError(error, 'read', path)
  }
}
