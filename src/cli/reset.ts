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

/** A directory whose content goes, and what it may hold. */
export interface ResetPart {
  readonly path: string
  readonly isOurs: (name: string) => boolean
}

/** Whether `name` is of those that a node keeps at the top of its directory. */
export function isOfNode(name: string): boolean {
  return OURS.test(name)
}

export function resetData(directory: string, disk: Disk, world: ResetWorld): Promise<void> {
  return resetParts(directory, [{ path: directory, isOurs: isOfNode }], disk, world)
}

/** Empties `directory`, whose parts are itself and those below it in which nodes may run. All of it or nothing. */
export async function resetParts(
  directory: string,
  parts: readonly ResetPart[],
  disk: Disk,
  world: ResetWorld,
): Promise<void> {
  const names = await namesIn(directory, disk)
  if (names.length === 0) {
    world.say(`nothing to reset: ${directory} holds no data`)
    return
  }
  for (const { path, isOurs } of parts) {
    const foreign = (await namesIn(path, disk)).find((name) => !isOurs(name))
    if (foreign === undefined) continue
    throw new Failure(`${path} holds ${foreign}, which is not a node's; nothing was deleted`)
  }
  if (!world.sure) await askFirst(directory, world)
  const locks: { release(): Promise<void> }[] = []
  try {
    for (const { path } of parts) locks.push(await lockFor(path, disk))
    for (const name of names) await remove(`${directory}/${name}`, disk)
    await disk.syncDirectory(directory)
  } finally {
    for (const lock of locks) await lock.release()
  }
  world.say(`deleted all data in ${directory}`)
}

function lockFor(path: string, disk: Disk): Promise<{ release(): Promise<void> }> {
  return disk.lock(`${path}/${LOCK_FILE}`).catch((error: unknown) => {
    if (!(error instanceof DiskError) || error.code !== 'LOCKED') throw error
    throw new Failure(`a node is running on ${path}; stop it first. Nothing was deleted`)
  })
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
