// How the node takes part in replication: by itself, or as one of the nodes of a cluster, which it helps to form where that has
// not happened yet.

import { asNodeId, type NodeId } from '../base/brand.ts'
import { METADATA_LOG_DIRECTORY, METADATA_LOG_ID } from '../controller/metadata-image.ts'
import type { Env } from '../env/env.ts'
import { encodeDescriptor, type Voter } from '../multiraft/descriptor.ts'
import { Formation, type FormedCluster } from '../multiraft/formation.ts'
import { MultiRaft } from '../multiraft/multiraft.ts'
import { DEFAULT_TIMING } from '../multiraft/options.ts'
import type { GroupObserver } from '../multiraft/observer.ts'
import type { Store } from '../storage/store.ts'
import type { ClusterOptions } from './cluster-options.ts'
import type { Closing } from './closing.ts'
import { OptionsError } from './options.ts'

export interface Replication {
  readonly node: MultiRaft
  /** Of the metadata log. */
  readonly voters: readonly Voter[]
  /** Fixed when the cluster was formed; undefined on a node by itself that starts for the first time. */
  readonly clusterId: string | undefined
  readonly isCluster: boolean
}

export interface ReplicationOptions {
  readonly env: Env
  readonly nodeId: NodeId
  readonly store: Store
  readonly dataDir: string
  readonly cluster: ClusterOptions | undefined
  readonly newClusterId: () => string
  readonly observer: GroupObserver | undefined
  readonly closing: Closing
  /** What the node waits for, asked as long as it does. */
  readonly onWaiting: (reason: () => string) => void
}

/** Whole segments go once a snapshot stands for them. */
export const METADATA_LOG_CONFIG = {
  segmentBytes: 8 * 1024 * 1024,
  segmentMs: 7 * 24 * 3_600_000,
  indexIntervalBytes: 4096,
}

/** Resolves once the node belongs to a cluster. Fails with OptionsError, FormationError or NetError. */
export function openReplication(options: ReplicationOptions): Promise<Replication> {
  const { cluster } = options
  const isCluster = cluster !== undefined && cluster.peers.length > 1
  return isCluster ? openMember(options, cluster) : Promise.resolve(openAlone(options))
}

function openAlone(options: ReplicationOptions): Replication {
  const { env, nodeId, store, dataDir, closing } = options
  const node = MultiRaft.alone({
    env,
    nodeId,
    store,
    timing: DEFAULT_TIMING,
    ...observing(options),
  })
  closing.add('replication', () => node.close())
  const descriptor = node.descriptorOf(METADATA_LOG_ID)
  const voters = descriptor?.voters ?? [{ nodeId, directoryId: store.directoryId }]
  if (voters.length > 1) {
    throw new OptionsError(
      `${dataDir} belongs to node ${nodeId} of a cluster of the nodes ${names(voters)}; start it with --peers that lists them`,
    )
  }
  return { node, voters, clusterId: descriptor?.clusterId, isCluster: false }
}

async function openMember(
  options: ReplicationOptions,
  cluster: ClusterOptions,
): Promise<Replication> {
  const { env, nodeId, store, dataDir, closing } = options
  const peers = cluster.peers.map(({ nodeId: id, host, port }) => ({
    nodeId: asNodeId(id),
    host,
    port,
  }))
  const node = await MultiRaft.open({
    env,
    nodeId,
    store,
    timing: DEFAULT_TIMING,
    ...observing(options),
    cluster: {
      listen: cluster.raft,
      peers: peers.filter((peer) => peer.nodeId !== nodeId),
      ...(cluster.secret === undefined ? {} : { secret: new TextEncoder().encode(cluster.secret) }),
    },
  })
  closing.add('replication', () => node.close())
  const formation = new Formation({
    timers: env.timers,
    log: env.log,
    self: { nodeId, directoryId: store.directoryId },
    peers,
    formed: formedBefore({ node, store, nodeId, dataDir }),
    lost: store.suspect,
    newClusterId: options.newClusterId,
    send: (to, body) => node.sendFormation(to, body),
    adopt: (formed) => adopt(store, formed),
  })
  node.setFormation(formation)
  closing.add('formation', () => formation.close())
  options.onWaiting(() => {
    const { missing } = formation
    return missing.length === 0
      ? 'its cluster is being formed'
      : `the cluster is not formed yet; it waits for ${missing.map((id) => `node ${id}`).join(', ')}`
  })
  const { voters, clusterId } = await formation.run()
  return { node, voters, clusterId, isCluster: true }
}

const observing = ({ observer }: ReplicationOptions) => (observer === undefined ? {} : { observer })

function formedBefore(options: {
  readonly node: MultiRaft
  readonly store: Store
  readonly nodeId: NodeId
  readonly dataDir: string
}): FormedCluster | undefined {
  const { node, store, nodeId, dataDir } = options
  if (store.get(METADATA_LOG_ID) === undefined) return undefined
  const descriptor = node.descriptorOf(METADATA_LOG_ID)
  if (
    descriptor === undefined ||
    descriptor.voters.length === 1 ||
    descriptor.clusterId === undefined
  ) {
    throw new OptionsError(
      `${dataDir} holds the data of node ${nodeId} by itself; a cluster can't be grown from it yet: start it without --peers, ` +
        'or give an empty data directory and copy the topics with a mirroring tool',
    )
  }
  return { voters: descriptor.voters, clusterId: descriptor.clusterId }
}

/** The creation record of the metadata log is what makes this node a member (laws R6, R7). */
async function adopt(store: Store, formed: FormedCluster): Promise<void> {
  store.create(METADATA_LOG_ID, {
    directory: METADATA_LOG_DIRECTORY,
    config: METADATA_LOG_CONFIG,
    descriptor: encodeDescriptor(formed),
  })
  await store.flush()
}

const names = (voters: readonly Voter[]): string => voters.map(({ nodeId }) => nodeId).join(', ')
