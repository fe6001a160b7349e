// Why a node could not start, said so that the person at the terminal knows what to do.

import { hostPort } from '../base/hosts.ts'
import { DiskError } from '../env/disk.ts'
import type { Env } from '../env/env.ts'
import { NetError } from '../env/network.ts'
import { FormationError } from '../multiraft/formation.ts'
import { OptionsError } from '../server/options.ts'
import { StoreError } from '../storage/store.ts'
import { Failure } from './failure.ts'
import { LOCK_FILE } from './reset.ts'
import type { NodeOptions } from './options-start.ts'

/** What to throw instead of `error`; the error itself where it is a defect rather than something to mend. */
export function explainStartFailure(error: unknown, options: NodeOptions): unknown {
  const message =
    error instanceof NetError
      ? explainNet(error, options)
      : error instanceof DiskError
        ? explainDisk(error, options.dataDir)
        : error instanceof StoreError ||
            error instanceof OptionsError ||
            error instanceof FormationError
          ? error.message
          : undefined
  return message === undefined ? error : new Failure(message, { cause: error })
}

/** A port may be taken by a node that runs on the same data; that it runs is then what to say. */
export async function realReason(
  error: unknown,
  { dataDir }: Pick<NodeOptions, 'dataDir'>,
  { disk }: Pick<Env, 'disk'>,
): Promise<unknown> {
  if (!(error instanceof NetError) || error.code !== 'EADDRINUSE') return error
  try {
    await (await disk.lock(`${dataDir}/${LOCK_FILE}`)).release()
    return error
  } catch (other) {
    return other instanceof DiskError && other.code === 'LOCKED' ? other : error
  }
}

function explainNet(error: NetError, options: NodeOptions): string | undefined {
  const address = /^listen on (.+?): /.exec(error.message)?.[1]
  if (address === undefined) return undefined
  const { http, cluster } = options
  const elsewhere =
    http !== undefined && address === hostPort(http)
      ? 'answer HTTP elsewhere with --http host:port, or not at all with --http off'
      : cluster !== undefined && address === hostPort(cluster.raft)
        ? 'give the node another Raft port in --peers, on every node'
        : 'listen elsewhere with --kafka host:port, or move all ports with --port-base port'
  switch (error.code) {
    case 'EADDRINUSE':
      return `${address} is in use by another program; stop that one, or ${elsewhere}`
    case 'EACCES':
      return `this user may not listen on ${address} (ports below 1024 are reserved); ${elsewhere}`
    case 'EADDRNOTAVAIL':
      return `${address} is not an address of this machine; ${elsewhere}`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${address}: the host name is not known here; ${elsewhere}`
    default:
      return `can't listen on ${address}: ${error.message}`
  }
}

/** Why the directory can't be used, and what to do. */
export function explainDisk(error: DiskError, dataDir: string): string {
  const holder = /held by [^():,;]+/.exec(error.message)?.[0]
  const another = 'give another directory with --data-dir'
  switch (error.code) {
    case 'LOCKED':
      return `${dataDir} is in use, ${holder ?? 'held by another process'}; stop that node, or ${another}`
    case 'EACCES':
      return `this user may not write to ${error.path}; change its owner, or ${another}`
    case 'ENOSPC':
      return `no space is left on the disk of ${dataDir}; free some, or ${another}`
    case 'ENOTDIR':
    case 'EEXIST':
      return `${error.path} is a file where a directory is needed; ${another}`
    default:
      return `the data directory ${dataDir} can't be used: ${error.message}`
  }
}
