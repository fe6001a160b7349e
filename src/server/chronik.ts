// The composition root: one node put together from its parts, for the command line, for programs that embed it, and for the
// simulator. Everything it needs of the world comes through `env`.

import { asNodeId, type NodeId } from '../base/brand.ts'
import { hostPort } from '../base/hosts.ts'
import { resolveBrokerConfigs } from '../base/config/resolve.ts'
import { type BoundListener, Broker } from '../broker/broker.ts'
import { Controller } from '../controller/controller.ts'
import { logIdOf, METADATA_LOG_DIRECTORY, METADATA_LOG_ID } from '../controller/metadata-image.ts'
import type { Env } from '../env/env.ts'
import type { NetAddress } from '../env/network.ts'
import { GroupCoordinator } from '../groups/group-coordinator.ts'
import { DEFAULT_TIMING, MultiRaft } from '../multiraft/multiraft.ts'
import { RaftLogHost } from '../replicated/raft-log-host.ts'
import { openStore } from '../storage/open-store.ts'
import type { Store } from '../storage/store.ts'
import { AdminHttp } from './admin-http.ts'
import { Closing } from './closing.ts'
import { MOVES_ALONE, NodeClusterAdmin, type PeerFacts } from './cluster-admin.ts'
import { groupMetadata } from './group-metadata.ts'
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
  readonly closing: Closing
}

/** The metadata log holds little but is replayed whole at every start. */
const METADATA_LOG_CONFIG = {
  segmentBytes: 64 * 1024 * 1024,
  segmentMs: 7 * 24 * 3_600_000,
  indexIntervalBytes: 4096,
}

/** A running node. */
export class Chronik {
  readonly listeners: readonly NodeListener[]
  /** Undefined where HTTP is off. */
  readonly http: { readonly host: string; readonly port: number } | undefined
  readonly clusterId: string
  readonly dataDir: string
  readonly #closing: Closing
  #stopping: Promise<void> | undefined

  private constructor(parts: Parts) {
    this.listeners = parts.listeners
    this.http = parts.http
    this.clusterId = parts.clusterId
    this.dataDir = parts.dataDir
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
  if (options.cluster !== undefined && options.cluster.peers.length > 1) {
    throw new OptionsError(
      'peers: nodes of this version do not form clusters; list this node alone',
    )
  }
  const env = options.env ?? (await realEnv())
  const http = await AdminHttp.open(options, env.log)
  if (http !== undefined) closing.add('http', () => http.close())
  const dataDir = options.dataDir ?? (await ownDirectory(closing))
  const staticConfigs = staticConfigTexts(given, { nodeId, dataDir, listeners, rack: options.rack })
  const config = resolveBrokerConfigs({ staticBroker: staticConfigs })

  const store = await openStore(env, {
    ...options.storage,
    directory: dataDir,
    tailCacheBytes: config['chronik.tail.cache.bytes'],
    maxOpenFiles: config['chronik.open.files.max'],
  })
  closing.add('storage', () => store.close())
  checkNodeId(store, nodeId, dataDir)

  const node = MultiRaft.alone({ env, nodeId, store, timing: DEFAULT_TIMING })
  closing.add('replication', () => node.close())
  const host = new RaftLogHost({ node, host: env.host })
  closing.add('logs', () => host.close())
  const log = await host.open({
    id: METADATA_LOG_ID,
    directory: METADATA_LOG_DIRECTORY,
    config: METADATA_LOG_CONFIG,
    voters: [{ nodeId, directoryId: store.directoryId }],
  })
  const controller = await Controller.open({ log, nodeId, env, staticConfigs })
  closing.add('controller', () => controller.close())
  dropOrphans(store, controller)

  const groups = new GroupCoordinator({
    env,
    configs: () => controller.brokerConfigs(),
    metadata: groupMetadata(controller),
  })
  closing.add('groups', () => groups.close())

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
  await register(controller, {
    nodeId,
    directoryId: store.directoryId,
    listeners: bound,
    rack: options.rack ?? null,
  })
  broker.serve()
  http?.setCluster(
    new NodeClusterAdmin({
      nodeId,
      metadata: controller,
      cluster: broker.cluster,
      partitions: broker.partitions,
      controllerEpoch: () => log.role.epoch,
      facts: () => factsOfThisNode(options, http.address),
      moves: MOVES_ALONE,
    }),
  )
  http?.setReadiness(() => ({ ready: true }))
  closing.add('readiness', () => http?.setReadiness(() => ({ ready: false, reason: 'stopping' })))
  env.log.info('serving', { node: nodeId, cluster: controller.image.clusterId })
  const { clusterId } = controller.image
  return { listeners: bound, http: http?.address, clusterId, dataDir, closing }
}

function factsOfThisNode(options: ChronikOptions, http: NetAddress): PeerFacts {
  const raft = options.cluster?.raft
  return {
    up: true,
    bootId: null,
    draining: false,
    raft: raft === undefined ? null : hostPort(raft),
    http: hostPort(http),
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

/** The vote of the metadata log is the node's own, so it tells whose data this is; asked before anything is written. */
function checkNodeId(store: Store, nodeId: NodeId, dataDir: string): void {
  const owner = store.get(METADATA_LOG_ID)?.hardState.votedFor
  if (owner === undefined || owner === nodeId) return
  throw new OptionsError(
    `${dataDir} holds the data of node ${owner}, not of node ${nodeId}; start with node id ${owner}, or give another data directory`,
  )
}

/** Replicas of topics whose deletion was committed while their files were still there. */
function dropOrphans(store: Store, controller: Controller): void {
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

async function register(
  controller: Controller,
  node: {
    readonly nodeId: NodeId
    readonly directoryId: string
    readonly listeners: readonly NodeListener[]
    readonly rack: string | null
  },
): Promise<void> {
  const result = await controller.registerBroker({
    nodeId: node.nodeId,
    directoryId: node.directoryId,
    rack: node.rack,
    listeners: node.listeners.map(({ name, advertisedHost, advertisedPort }) => ({
      name,
      host: advertisedHost,
      port: advertisedPort,
      securityProtocol: 'PLAINTEXT',
    })),
  })
  if (result.errorCode !== 0) {
    throw new Error(`the node could not be registered: ${result.errorMessage ?? result.errorCode}`)
  }
}
