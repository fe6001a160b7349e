// The configuration file: TOML, as written by hand.

import { DiskError, type Disk } from '../env/disk.ts'
import { Failure, usage } from './failure.ts'
import type { Sources } from './options-gather.ts'

const BYTES_MAX = 1024 * 1024

/** Reads and parses the file at the absolute `path`; fails with what is wrong with it and where. */
export async function readConfigFile(
  path: string,
  disk: Disk,
): Promise<NonNullable<Sources['file']>> {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const text = await readText(path, disk)
  // Loaded only for those who have such a file.
  const { parse, TomlError } = await import('smol-toml')
  try {
    return { name, content: parse(text) }
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    throw usage(`${path}:${error.line}:${error.column}: ${firstLine(error.message)}`)
  }
}

async function readText(path: string, disk: Disk): Promise<string> {
  try {
    const file = await disk.open(path, 'read')
    try {
      const bytes = await file.size()
      if (bytes > BYTES_MAX)
        throw usage(`${path}: too large for a configuration file (${bytes} bytes)`)
      const content = new Uint8Array(bytes)
      const read = await file.read(content, 0)
      return new TextDecoder('utf-8', { fatal: true }).decode(content.subarray(0, read))
    } finally {
      await file.close()
    }
  } catch (error) {
    if (error instanceof TypeError) throw usage(`${path}: is not UTF-8 text`)
    if (!(error instanceof DiskError)) throw error
    if (error.code === 'ENOENT') throw usage(`${path}: there is no such file`)
    throw new Failure(`can't read the configuration file: ${error.message}`, { cause: error })
  }
}

function firstLine(text: string): string {
  return (text.split('\n')[0] ?? '').replace(/^Invalid TOML document: /, '')
}
