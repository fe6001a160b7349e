// The composition root: one node put together from its parts, for the command line, for programs that embed it, and for the
// simulator. Everything it needs of the world comes through `env`.

import { asNodeId, type NodeId } from '../base/brand.ts'
import { hostPort } from '../base/hosts.ts'
import type { BrokerConfigs } from '../base/config/broker-configs.ts'
import { resolveBrokerConfigs } from '../base/config/resolve.ts'
import { type BoundListener, Broker } from '../broker/broker.ts'
import { ClusterController, type ControllerLink } from '../controller/cluster-controller.ts'
import { Controller, type MetadataView, newUuid } from '../controller/controller.ts'
import type { CommandResult } from '../controller/commands.ts'
import { logIdOf, METADATA_LOG_DIRECTORY, METADATA_LOG_ID } from '../controller/metadata-image.ts'
import type { Env } from '../env/env.ts'
import { GroupCoordinator } from '../groups/group-coordinator.ts'
import { decodeDescriptor } from '../multiraft/descriptor.ts'
import { CallMethod } from '../multiraft/methods.ts'
import type { MultiRaft } from '../multiraft/multiraft.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { RaftLogHost } from '../replicated/raft-log-host.ts'
import type { ReplicatedLog } from '../replicated/replicated-log.ts'
import { openStore } from '../storage/open-store.ts'
import type { Store } from '../storage/store.ts'
import type { ClusterAdmin, Readiness } from '../admin/cluster-admin.ts'
import { AdminHttp } from './admin-http.ts'
import { Closing } from './closing.ts'
import { METADATA_LOG_CONFIG, openReplication } from './replication.ts'
import { type LeaderMoves, MOVES_ALONE, NodeClusterAdmin, type PeerFacts } from './cluster-admin.ts'
import { groupMetadata } from './group-metadata.ts'
import { ClusterLeaderMoves } from './leader-moves.ts'
import { damageRefusal, Suspects, suspectsOf } from './suspects.ts'
import {
  checkOptions,
  type ChronikOptions,
  DEFAULT_LISTENERS,
  type ListenerOptions,
  OptionsError,
  staticConfigTexts,
} from './options.ts'

export interface NodeListener {
  readonly name: string
  /** Where it listens, with the port that was taken. */
  readonly host: string
  readonly port: number
  /** What clients are told to connect to. */
  readonly advertisedHost: string
  readonly advertisedPort: number
}

interface Parts {
  readonly listeners: readonly NodeListener[]
  readonly http: { readonly host: string; readonly port: number } | undefined
  readonly clusterId: string
  readonly dataDir: string
  readonly admin: ClusterAdmin
  readonly closing: Closing
}

const REGISTER_RETRY_MS = 100
/** Others take over what this node leads before it stops; what is not taken then is elected. */
const LEAVE_MS_MAX = 1_000

/** A running node. */
export class Chronik {
  readonly listeners: readonly NodeListener[]
  /** Undefined where HTTP is off. */
  readonly http: { readonly host: string; readonly port: number } | undefined
  readonly clusterId: string
  readonly dataDir: string
  /** What operators see of the cluster and tell it to do. */
  readonly admin: ClusterAdmin
  readonly #closing: Closing
  #stopping: Promise<void> | undefined

  private constructor(parts: Parts) {
    this.listeners = parts.listeners
    this.http = parts.http
    this.clusterId = parts.clusterId
    this.dataDir = parts.dataDir
    this.admin = parts.admin
    this.#closing = parts.closing
  }

  /** `host:port` of the first listener, for clients on this machine. */
  get bootstrap(): string {
    const [first] = this.listeners
    if (first === undefined) throw new Error('a node has at least one listener')
    return `${first.advertisedHost}:${first.advertisedPort}`
  }

  /**
   * Starts a node; resolves when it serves. Fails with OptionsError, with NetError where a port can't be taken, with
   * DiskError or FormatError where the data directory can't be used; nothing is left open then.
   */
  static async start(options: ChronikOptions = {}): Promise<Chronik> {
    const closing = new Closing()
    try {
      return new Chronik(await startParts(options, closing))
    } catch (error) {
      await closing.run()
      throw error
    }
  }

  /** Answers what is in work, makes everything durable, frees ports and the data directory. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    const failure = await this.#closing.run()
    if (failure !== undefined) throw failure
  }
}

async function startParts(options: ChronikOptions, closing: Closing): Promise<Parts> {
  const { nodeId: id = 1, listeners = DEFAULT_LISTENERS } = options
  const nodeId = asNodeId(id)
  const given = checkOptions(options)
  const env = options.env ?? (await realEnv())
  const http = await AdminHttp.open(options, env.log)
  closing.add('http', () => http.close())
  const dataDir = options.dataDir ?? (await ownDirectory(closing))
  const staticConfigs = staticConfigTexts(given, { nodeId, dataDir, listeners, rack: options.rack })
  const config = resolveBrokerConfigs({ staticBroker: staticConfigs })

  const store = await openStorage(options, { env, dataDir, config })
  closing.add('storage', () => store.close())
  checkNodeId(store, nodeId, dataDir)

  const {
    node,
    voters,
    clusterId: formed,
    isCluster,
  } = await openReplication({
    env,
    nodeId,
    store,
    dataDir,
    cluster: options.cluster,
    newClusterId: () => newUuid(env.random),
    observer: options.observer,
    closing,
    onWaiting: (reason) => http.notReady(reason),
  })
  http.notReady(() => 'it waits for a controller, which takes a majority of the nodes')
  const host = new RaftLogHost({ node, host: env.host })
  closing.add('logs', () => host.close())
  const log = await host.open({
    id: METADATA_LOG_ID,
    directory: METADATA_LOG_DIRECTORY,
    config: METADATA_LOG_CONFIG,
    voters,
    ...(formed === undefined ? {} : { clusterId: formed }),
  })
  const local = await Controller.open({
    log,
    nodeId,
    env,
    staticConfigs,
    ...(isCluster ? { members: voters } : {}),
    isUp: (peer) => host.isUp(peer),
    ...(formed === undefined ? {} : { clusterId: formed }),
  })
  const controller = isCluster
    ? new ClusterController({ controller: local, nodeId, env, link: controllerLink(node) })
    : local
  closing.add('controller', () => local.close())
  // A start begins with a snapshot of the metadata, which may name topics whose deletion this node had carried out: their logs
  // must not be made anew (law R7).
  if (isCluster) await untilDone('to catch up with', env, () => controller.catchUp())
  node.setLagMax(controller.brokerConfigs()['replica.lag.time.max.ms'])

  const groups = openGroups(env, controller, closing)
  const broker = new Broker({
    env,
    nodeId,
    listeners: listeners.map(({ name, host: at, port }) => ({ name, bind: { host: at, port } })),
    config: controller.brokerConfigs(),
    host,
    controller,
    groups,
  })
  closing.add('broker', () => broker.close())
  await broker.open()
  const bound = advertise(listeners, await broker.bind())
  await register(controller, env, {
    nodeId,
    directoryId: store.directoryId,
    listeners: bound,
    rack: options.rack ?? null,
    raft: raftAddress(options, nodeId),
    http: http.address === undefined ? null : hostPort(http.address),
  })
  dropOrphans(store, controller)
  const suspects = Suspects.watch({ env, store, controller, log, broker, nodeId })
  closing.add('suspects', () => suspects.close())
  broker.serve()
  const moves = isCluster ? new ClusterLeaderMoves({ env, host, controller }) : MOVES_ALONE
  const admin = clusterAdmin({ nodeId, node, store, controller, broker, log, moves })
  http.serve(admin, () => readiness(controller))
  if (isCluster) closing.add('leaderships', () => node.leave(LEAVE_MS_MAX))
  closing.add('readiness', () => http.notReady(() => 'stopping'))
  env.log.info('serving', { node: nodeId, cluster: controller.image.clusterId })
  const { clusterId } = controller.image
  return { listeners: bound, http: http.address, clusterId, dataDir, admin, closing }
}

function openStorage(
  options: ChronikOptions,
  {
    env,
    dataDir,
    config,
  }: { readonly env: Env; readonly dataDir: string; readonly config: BrokerConfigs },
): Promise<Store> {
  return openStore(env, {
    ...options.storage,
    directory: dataDir,
    tailCacheBytes: config['chronik.tail.cache.bytes'],
    maxOpenFiles: config['chronik.open.files.max'],
    onJournalDamage: (damage) => damageRefusal(damage, options.cluster?.peers.length ?? 1),
  })
}

function openGroups(env: Env, controller: MetadataView, closing: Closing): GroupCoordinator {
  const groups = new GroupCoordinator({
    env,
    configs: () => controller.brokerConfigs(),
    metadata: groupMetadata(controller),
  })
  closing.add('groups', () => groups.close())
  return groups
}

const CONTROLLER_CALL_MS_MAX = 15_000

function controllerLink({ calls }: MultiRaft): ControllerLink {
  return {
    call: (to, body) => calls.call(to, CallMethod.CONTROLLER, body, CONTROLLER_CALL_MS_MAX),
    onCall: (handler) => calls.handle(CallMethod.CONTROLLER, handler),
  }
}

function clusterAdmin(parts: {
  readonly nodeId: NodeId
  readonly node: MultiRaft
  readonly store: Store
  readonly controller: MetadataView
  readonly broker: Broker
  readonly log: ReplicatedLog
  readonly moves: LeaderMoves
}): NodeClusterAdmin {
  const { nodeId, node, store, controller, broker, log, moves } = parts
  return new NodeClusterAdmin({
    nodeId,
    metadata: controller,
    cluster: broker.cluster,
    partitions: broker.partitions,
    controllerEpoch: () => log.role.epoch,
    facts: (of) => factsOf(of, { nodeId, node, controller }),
    moves,
    suspects: () => suspectsOf(store),
  })
}

function factsOf(
  of: NodeId,
  here: {
    readonly nodeId: NodeId
    readonly node: MultiRaft
    readonly controller: MetadataView
  },
): PeerFacts {
  const { nodeId, node, controller } = here
  const { brokers, draining } = controller.image
  const isSelf = of === nodeId
  const registered = brokers.get(String(of))
  return {
    up: isSelf || node.isUp(of),
    bootId: isSelf ? node.bootId : (node.bootIdOf(of) ?? null),
    draining: draining.has(of),
    raft: registered?.raft ?? null,
    http: registered?.http ?? null,
  }
}

/** Where the peers are told to reach this node. */
function raftAddress({ cluster }: ChronikOptions, nodeId: NodeId): string | null {
  const own = cluster?.peers.find((peer) => peer.nodeId === nodeId)
  return own === undefined ? null : hostPort(own)
}

/** A node that knows no controller is cut off from the majority: its metadata may be old, and nothing can be changed. */
function readiness({ controllerId }: MetadataView): Readiness {
  if (controllerId !== undefined) return { ready: true }
  return {
    ready: false,
    reason: 'no controller is known: a majority of the nodes is down or out of reach',
  }
}

async function realEnv(): Promise<Env> {
  const { nodeEnv } = await import('../env/node/node-env.ts')
  return nodeEnv({ log: { level: 'warn' } })
}

async function ownDirectory(closing: Closing): Promise<string> {
  const { temporaryDirectory } = await import('../env/node/temporary-directory.ts')
  const directory = await temporaryDirectory()
  closing.add('temporary directory', () => directory.remove())
  return directory.path
}

/** Whose data it is, asked before anything is written: data of another node would make two nodes vote as one. */
function checkNodeId(store: Store, nodeId: NodeId, dataDir: string): void {
  const owner = ownerOf(store)
  if (owner === undefined || owner === nodeId) return
  throw new OptionsError(
    `${dataDir} holds the data of node ${owner}, not of node ${nodeId}; start with node id ${owner}, or give another data directory`,
  )
}

/** Undefined where nothing tells. */
function ownerOf(store: Store): NodeId | undefined {
  const metadata = store.get(METADATA_LOG_ID)
  if (metadata === undefined) return undefined
  const descriptor = decodeDescriptor(metadata.descriptor)
  // Before groups had descriptors, a node by itself voted for itself alone.
  if (descriptor === undefined) return metadata.hardState.votedFor
  return descriptor.voters.find(({ directoryId }) => directoryId === store.directoryId)?.nodeId
}

/**
 * Replicas of topics whose deletion was committed while their files were still there. Only after the registration: by then
 * this node has applied at least what it had applied when it last ran, so a topic that is missing was deleted.
 */
function dropOrphans(store: Store, controller: MetadataView): void {
  const wanted = new Set([METADATA_LOG_ID])
  for (const topic of controller.image.topics.values()) {
    for (const { index } of topic.partitions) wanted.add(logIdOf(topic, index))
  }
  for (const { id } of [...store.logs()]) if (!wanted.has(id)) store.drop(id)
}

function advertise(
  listeners: readonly ListenerOptions[],
  bound: readonly BoundListener[],
): NodeListener[] {
  return bound.map(({ name, address }) => {
    const wanted = listeners.find((listener) => listener.name === name)
    return {
      name,
      host: address.host,
      port: address.port,
      advertisedHost: wanted?.advertisedHost ?? address.host,
      advertisedPort: wanted?.advertisedPort ?? address.port,
    }
  })
}

/** Until the cluster has taken it: before that, clients could not be told where this node is. */
async function register(
  controller: MetadataView,
  env: Env,
  node: {
    readonly nodeId: NodeId
    readonly directoryId: string
    readonly listeners: readonly NodeListener[]
    readonly rack: string | null
    readonly raft: string | null
    readonly http: string | null
  },
): Promise<void> {
  const registration = {
    ...node,
    listeners: node.listeners.map(({ name, advertisedHost, advertisedPort }) => ({
      name,
      host: advertisedHost,
      port: advertisedPort,
      securityProtocol: 'PLAINTEXT',
    })),
  }
  await untilDone('to register with', env, () => controller.registerBroker(registration))
}

/** Until some controller has done it; fails where none ever will. */
async function untilDone(
  why: string,
  env: Env,
  command: () => Promise<CommandResult>,
): Promise<void> {
  for (;;) {
    const { errorCode, errorMessage } = await command()
    if (errorCode === ErrorCode.NONE) return
    if (errorCode !== ErrorCode.NOT_CONTROLLER && errorCode !== ErrorCode.REQUEST_TIMED_OUT) {
      throw new Error(`a controller ${why} refused: ${errorMessage ?? errorCode}`)
    }
    env.log.warn(`the node waits for a controller ${why}`, { answer: errorMessage })
    await new Promise<void>((resolve) => env.timers.after(REGISTER_RETRY_MS, resolve))
  }
}
