// Makes a data directory, or finds out whose it is. A directory counts as formatted once its identity file is there; it is
// written last, so what a format that was interrupted left behind holds nothing and is written over.

import type { Disk } from '../env/disk.ts'
import { CHECKPOINT_FILE, encodeCheckpoint, readCheckpoint, writeCheckpoint } from './checkpoint.ts'
import { FormatError } from './byte-io.ts'
import { isDiskError } from './files.ts'
import { newDirectoryId, readIdentity, writeIdentity } from './identity.ts'
import { NodeState } from './node-state.ts'
import type { StoreEnv } from './options.ts'
import { StoreError } from './store.ts'

/** The directory's id, durable. */
export async function openDirectory(env: StoreEnv, directory: string): Promise<string> {
  const existing = await readIdentity(env.disk, directory)
  if (existing !== undefined) return existing
  await refuseData(env.disk, directory)
  return format(env, directory)
}

/** Without its identity. Durable when it resolves. */
export async function formatEmpty(disk: Disk, directory: string): Promise<void> {
  await disk.makeDirectory(`${directory}/journal`)
  await disk.makeDirectory(`${directory}/logs`)
  const cursor = {
    generation: { number: 0, salt: 0 },
    nextLsn: 1,
    previousCrc: 0,
    sequence: 0,
    position: 0,
  }
  const empty = encodeCheckpoint({ cursor, state: new NodeState() })
  // Its directory sync makes the two folders durable as well.
  await writeCheckpoint(disk, directory, empty, async () => {})
}

async function format(env: StoreEnv, directory: string): Promise<string> {
  const { disk } = env
  await formatEmpty(disk, directory)
  const directoryId = newDirectoryId(env.random)
  // Before the identity: where that is found, nothing above it needs care again.
  await syncParents(disk, directory)
  await writeIdentity(disk, directory, directoryId)
  return directoryId
}

/** A checkpoint that a format could not have left means that the identity was lost, not that nothing is there. */
async function refuseData(disk: Disk, directory: string): Promise<void> {
  let generation: number | undefined
  try {
    generation = (await readCheckpoint(disk, directory))?.cursor.generation.number
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    generation = Infinity
  }
  if ((generation ?? 0) === 0) return
  throw new StoreError(
    'corrupt',
    `${directory} holds data (${CHECKPOINT_FILE}), but its identity file chronik.json is missing`,
  )
}

/** Those above the directory that may have been made for it: none that this process may not read. */
async function syncParents(disk: Disk, directory: string): Promise<void> {
  for (let at = directory; at !== '/' && at !== '';) {
    at = at.slice(0, at.lastIndexOf('/')) || '/'
    try {
      await disk.syncDirectory(at)
    } catch (error) {
      if (isDiskError(error, 'EACCES')) return
      throw error
    }
  }
}
