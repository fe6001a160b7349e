// `--reset`: deletes what a node keeps in its data directory, after asking, and never what does not look like a node's.

import { DiskError, type Disk } from '../env/disk.ts'
import { Failure } from './failure.ts'

/** What the root of a data directory may hold; anything else means that it is not one. */
const OURS = /^(chronik\.json|checkpoint|journal|logs|lock)([.-](tmp|journal))?$/

/** The file that a running node holds locked. */
export const LOCK_FILE = 'lock'

/** Whether a node has kept data there before. */
export async function holdsData(directory: string, disk: Disk): Promise<boolean> {
  return (await namesIn(directory, disk)).some((name) => name !== LOCK_FILE)
}

export interface ResetWorld {
  /** Do not ask. */
  readonly sure: boolean
  readonly ask: ((question: string) => Promise<boolean>) | undefined
  readonly say: (text: string) => void
}

export async function resetData(directory: string, disk: Disk, world: ResetWorld): Promise<void> {
  const names = await namesIn(directory, disk)
  if (names.length === 0) {
    world.say(`nothing to reset: ${directory} holds no data`)
    return
  }
  const foreign = names.find((name) => !OURS.test(name))
  if (foreign !== undefined) {
    throw new Failure(`${directory} holds ${foreign}, which is not a node's; nothing was deleted`)
  }
  if (!world.sure) await askFirst(directory, world)
  const lock = await disk.lock(`${directory}/${LOCK_FILE}`).catch((error: unknown) => {
    if (!(error instanceof DiskError) || error.code !== 'LOCKED') throw error
    throw new Failure(`a node is running on ${directory}; stop it first. Nothing was deleted`)
  })
  try {
    for (const name of names) await remove(`${directory}/${name}`, disk)
    await disk.syncDirectory(directory)
  } finally {
    await lock.release()
  }
  world.say(`deleted all data in ${directory}`)
}

async function askFirst(directory: string, world: ResetWorld): Promise<void> {
  if (world.ask === undefined) {
    throw new Failure(
      `there is no terminal to ask at; --reset --yes deletes all data in ${directory}`,
    )
  }
  const yes = await world.ask(`Delete all data in ${directory}? This can't be undone. [y/N] `)
  if (!yes) throw new Failure('nothing was deleted')
}

async function namesIn(directory: string, disk: Disk): Promise<string[]> {
  const found = await disk.stat(directory)
  if (found?.kind !== 'directory') return []
  return (await disk.list(directory)).map(({ name }) => name)
}

async function remove(path: string, disk: Disk): Promise<void> {
  const found = await disk.stat(path)
  if (found === undefined) return
  if (found.kind === 'file') return disk.unlink(path)
  for (const { name } of await disk.list(path)) await remove(`${path}/${name}`, disk)
  await disk.removeDirectory(path)
}
