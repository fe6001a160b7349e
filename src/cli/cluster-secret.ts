// The cluster of the start command, with its secret read and everything checked.

import { DiskError } from '../env/disk.ts'
import { type ClusterOptions, clusterProblem, clusterWarnings } from '../server/cluster-options.ts'
import { Failure, usage } from './failure.ts'
import type { StartCluster } from './options-start.ts'

/** Fails with DiskError. */
export type SecretReader = (
  path: string,
) => Promise<{ readonly text: string; readonly worldReadable: boolean }>

export interface SecretWorld {
  readonly readSecret: SecretReader
  /** For the person at the terminal. */
  readonly say: (text: string) => void
  readonly absolute: (path: string) => string
}

/** Fails (Failure) with what is wrong; says what is doubtful. */
export async function clusterOptions(
  nodeId: number,
  { raft, peers, secretFile }: StartCluster,
  world: SecretWorld,
): Promise<ClusterOptions> {
  const secret = secretFile === undefined ? {} : { secret: await readSecret(secretFile, world) }
  const cluster = { raft, peers, ...secret }
  const problem = clusterProblem(nodeId, cluster)
  if (problem !== undefined) throw usage(problem)
  for (const warning of clusterWarnings(cluster)) world.say(`warning: ${warning}`)
  return cluster
}

async function readSecret(given: string, world: SecretWorld): Promise<string> {
  const path = world.absolute(given)
  const { text, worldReadable } = await world.readSecret(path).catch((error: unknown) => {
    if (!(error instanceof DiskError)) throw error
    throw new Failure(unreadable(error, path), { cause: error })
  })
  if (worldReadable) {
    world.say(`warning: every user of this machine can read the cluster secret; chmod 600 ${path}`)
  }
  const secret = text.trim()
  if (secret !== '') return secret
  throw new Failure(
    `the cluster secret file ${path} is empty; make one with: head -c 32 /dev/urandom | base64 > ${path}`,
  )
}

function unreadable(error: DiskError, path: string): string {
  switch (error.code) {
    case 'ENOENT':
      return `there is no cluster secret file ${path}; make one with: head -c 32 /dev/urandom | base64 > ${path}, and copy it to every node`
    case 'EACCES':
      return `this user may not read the cluster secret file ${path}; change its owner or mode`
    default:
      return `can't read the cluster secret file: ${error.message}`
  }
}
