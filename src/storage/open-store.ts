// Opens a data directory: takes its lock, finds or makes its identity, recovers, and starts the store.

import { isDiskError } from './files.ts'
import { openDirectory } from './format.ts'
import { STORE_DEFAULTS, type StoreEnv, type StoreOptions } from './options.ts'
import { recover, type Recovered } from './recovery.ts'
import { LocalStore } from './local-store.ts'
import { JournalDamage, StoreError, type Store } from './store.ts'
import { beginAnew, isSuspect } from './suspicion.ts'
import { DiskError } from '../env/disk.ts'

export type OpenStoreOptions = Pick<StoreOptions, 'directory'> & Partial<StoreOptions>

/**
 * Everything that was durable before is there again when it resolves. Fails with StoreError `corrupt` when the journal,
 * the checkpoint or the identity can't be used (and `onJournalDamage` does not have it begin anew) or is of a newer version,
 * with `storage-full` when not even a checkpoint can be written, and with DiskError `LOCKED` when another process has the
 * directory. Damaged segments keep nothing from opening: see `StoredLog.damage`.
 */
export async function openStore(env: StoreEnv, given: OpenStoreOptions): Promise<Store> {
  const options: StoreOptions = { ...STORE_DEFAULTS, ...given }
  const { directory } = options
  await env.disk.makeDirectory(directory)
  const lock = await takeLock(env, directory)
  try {
    const directoryId = await openDirectory(env, directory)
    const recovered = await recoverOrBeginAnew(env, options)
    const freeBytes = await env.disk.freeBytes(directory)
    const suspect = await isSuspect(env, directory)
    return new LocalStore(env, options, { directoryId, recovered, suspect, freeBytes, lock })
  } catch (error) {
    await lock.release()
    if (isDiskError(error, 'ENOSPC'))
      throw new StoreError('storage-full', `no room in ${directory}`)
    throw error
  }
}

/** Law R5. */
async function recoverOrBeginAnew(env: StoreEnv, options: StoreOptions): Promise<Recovered> {
  const { directory, onJournalDamage } = options
  await isSuspect(env, directory)
  try {
    return await recover(env, options)
  } catch (error) {
    if (!(error instanceof JournalDamage) || onJournalDamage === undefined) throw error
    const refusal = onJournalDamage(error)
    if (refusal !== undefined) throw new StoreError('corrupt', `${error.message}: ${refusal}`)
    env.log.error('the journal is damaged', { error: error.message })
    await beginAnew(env, directory)
    return recover(env, options)
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
