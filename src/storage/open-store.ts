// Opens a data directory: takes its lock, finds or makes its identity, recovers, and starts the store.

import { isDiskError } from './files.ts'
import { openDirectory } from './format.ts'
import { STORE_DEFAULTS, type StoreEnv, type StoreOptions } from './options.ts'
import { recover } from './recovery.ts'
import { LocalStore } from './local-store.ts'
import { StoreError, type Store } from './store.ts'
import { DiskError } from '../env/disk.ts'

export type OpenStoreOptions = Pick<StoreOptions, 'directory'> & Partial<StoreOptions>

/**
 * Everything that was durable before is there again when it resolves. Fails with StoreError `corrupt` when the journal,
 * the checkpoint or the identity can't be used or is of a newer version, with `storage-full` when not even a checkpoint
 * can be written, and with DiskError `LOCKED` when another process has the directory. Damaged segments keep nothing from
 * opening: see `StoredLog.damage`.
 */
export async function openStore(env: StoreEnv, given: OpenStoreOptions): Promise<Store> {
  const options: StoreOptions = { ...STORE_DEFAULTS, ...given }
  const { directory } = options
  await env.disk.makeDirectory(directory)
  const lock = await takeLock(env, directory)
  try {
    const directoryId = await openDirectory(env, directory)
    const recovered = await recover(env, options)
    const freeBytes = await env.disk.freeBytes(directory)
    return new LocalStore(env, options, { directoryId, recovered, freeBytes, lock })
  } catch (error) {
    await lock.release()
    if (isDiskError(error, 'ENOSPC'))
      throw new StoreError('storage-full', `no room in ${directory}`)
    throw error
  }
}

async function takeLock(env: StoreEnv, directory: string): Promise<{ release(): Promise<void> }> {
  try {
    return await env.disk.lock(`${directory}/lock`)
  } catch (error) {
    if (!(error instanceof DiskError) || error.code !== 'LOCKED') throw error
    throw new DiskError(
      'LOCKED',
      error.operation,
      error.path,
      `${error.message}: the data directory ${directory} is in use by another process`,
    )
  }
}
