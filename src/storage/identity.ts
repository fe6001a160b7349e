// The data directory's identity: a random id that is durable before anything else happens and never changes (law R6).
// The file is written last when a directory is formatted: where it is missing, nothing was ever accepted.

import { crc32c } from '../base/crc32c.ts'
import type { Disk } from '../env/disk.ts'
import type { Random } from '../env/env.ts'
import { readFileIfThere, writeFileWhole } from './files.ts'
import { StoreError } from './store.ts'

export const IDENTITY_FILE = 'chronik.json'
const FORMAT = 'chronik-data'
/** Of the data directory as a whole. */
export const STORAGE_VERSION = 2

/** Undefined when the directory was not formatted. */
export async function readIdentity(disk: Disk, directory: string): Promise<string | undefined> {
  const path = `${directory}/${IDENTITY_FILE}`
  const bytes = await readFileIfThere(disk, path)
  if (bytes === undefined) return undefined
  const identity = parse(new TextDecoder().decode(bytes))
  if (identity === undefined) throw new StoreError('corrupt', `${path} is no identity file`)
  if (identity.version > STORAGE_VERSION) {
    throw new StoreError(
      'corrupt',
      `${directory} has storage format ${identity.version}, newer than ${STORAGE_VERSION}: it needs a newer Chronik`,
    )
  }
  return identity.directoryId
}

export async function writeIdentity(
  disk: Disk,
  directory: string,
  directoryId: string,
): Promise<void> {
  const crc = crcOf(STORAGE_VERSION, directoryId)
  const identity = { format: FORMAT, version: STORAGE_VERSION, directoryId, crc }
  const text = `${JSON.stringify(identity)}\n`
  await writeFileWhole(disk, directory, IDENTITY_FILE, new TextEncoder().encode(text))
}

function crcOf(version: number, directoryId: string): number {
  return crc32c(new TextEncoder().encode(`${FORMAT} ${version} ${directoryId}`))
}

/** 128 random bits as Kafka writes its ids: base64 for URLs, not starting with a dash. */
export function newDirectoryId(random: Random): string {
  for (;;) {
    const id = Buffer.from(random.bytes(16)).toString('base64url')
    if (!id.startsWith('-')) return id
  }
}

function parse(
  text: string,
): { readonly version: number; readonly directoryId: string } | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Reported by the caller, with the path.
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const fields = new Map<string, unknown>(Object.entries(value))
  const version = fields.get('version')
  const directoryId = fields.get('directoryId')
  if (fields.get('format') !== FORMAT) return undefined
  if (typeof version !== 'number' || typeof directoryId !== 'string') return undefined
  // A newer version is refused by its number, whatever else it may hold.
  const known = version <= STORAGE_VERSION
  if (known && fields.get('crc') !== crcOf(version, directoryId)) return undefined
  return { version, directoryId }
}
