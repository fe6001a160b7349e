// Test support: a broker on free loopback ports, over doubles of its logs and a real controller.

import { asNodeId } from '../../base/brand.ts'
import { resolveBrokerConfigs } from '../../base/config/resolve.ts'
import type { LogFields, Logger } from '../../env/env.ts'
import { nodeEnv } from '../../env/node/node-env.ts'
import { Controller, type MetadataView } from '../../controller/controller.ts'
import { METADATA_LOG_ID } from '../../controller/metadata-image.ts'
import type { GroupApi, GroupCoordinatorControl } from '../../groups/group-api.ts'
import { APIS } from '../../protocol/apis.ts'
import { LogHostDouble, ReplicatedLogDouble } from '../../replicated/testing/double.ts'
import { Broker } from '../broker.ts'
import { RawClient } from './raw-client.ts'

export class LinesLog implements Logger {
  readonly lines: {
    readonly level: string
    readonly message: string
    readonly fields: LogFields
  }[] = []
  debug(): void {}
  info(): void {}
  warn(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'warn', message, fields })
  }
  error(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'error', message, fields })
  }
  child(): Logger {
    return this
  }
}

/** Answers nothing but what a test gives it. */
export function groupsDouble(
  changes: Partial<GroupApi & GroupCoordinatorControl> = {},
): GroupApi & GroupCoordinatorControl {
  const unexpected = (): Promise<never> => Promise.reject(new Error('not expected here'))
  return {
    joinGroup: unexpected,
    syncGroup: unexpected,
    heartbeat: unexpected,
    leaveGroup: unexpected,
    offsetCommit: unexpected,
    offsetFetch: unexpected,
    listGroups: unexpected,
    describeGroups: unexpected,
    deleteGroups: unexpected,
    addPartition: () => {},
    removePartition: () => {},
    onTopicsDeleted: () => {},
    findCoordinator: unexpected,
    close: () => {},
    ...changes,
  }
}

export interface RigOptions {
  readonly configs?: Readonly<Record<string, string>>
  readonly listeners?: readonly string[]
  readonly groups?: Partial<GroupApi & GroupCoordinatorControl>
  /** Puts something between the broker and the controller. */
  readonly wrapController?: (controller: MetadataView) => MetadataView
}

export async function openRig(options: RigOptions = {}) {
  const log = new LinesLog()
  const env = { ...nodeEnv(), log }
  const staticConfigs = new Map(Object.entries(options.configs ?? {}))
  const nodeId = asNodeId(1)
  const host = new LogHostDouble(nodeId)
  host.directoryId = 'AAAAAAAAAAAAAAAAAAAAAg'
  const metadataLog = new ReplicatedLogDouble({ id: METADATA_LOG_ID })
  const controller = await Controller.open({ log: metadataLog, nodeId, env, staticConfigs })
  const names = options.listeners ?? ['PLAINTEXT']
  const broker = new Broker({
    env,
    nodeId,
    listeners: names.map((name) => ({ name, bind: { host: '127.0.0.1', port: 0 } })),
    config: resolveBrokerConfigs({ staticBroker: staticConfigs }),
    host,
    controller: options.wrapController?.(controller) ?? controller,
    groups: groupsDouble(options.groups),
  })
  await broker.open()
  const bound = await broker.bind()
  await controller.registerBroker({
    nodeId,
    directoryId: host.directoryId,
    rack: null,
    raft: null,
    http: null,
    listeners: bound.map(({ name, address }) => ({
      name,
      host: `${name.toLowerCase()}.example`,
      port: address.port,
      securityProtocol: 'PLAINTEXT',
    })),
  })
  broker.serve()
  const ports = new Map(bound.map(({ name, address }) => [name, address.port]))
  const clients: RawClient[] = []
  const connect = async (listener = names[0]!, clientId = 'test'): Promise<RawClient> => {
    const client = await RawClient.connect(env.network, ports.get(listener)!, { clientId })
    clients.push(client)
    return client
  }
  const createTopic = async (
    name: string,
    {
      partitions = 1,
      configs = {},
    }: { partitions?: number; configs?: Record<string, string> } = {},
  ): Promise<string> => {
    const [created] = await controller.createTopics([
      {
        name,
        numPartitions: partitions,
        replicationFactor: 1,
        assignments: [],
        configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
      },
    ])
    if (created?.errorCode !== 0) throw new Error(created?.errorMessage ?? 'no topic')
    await broker.partitions.whenOpen([name])
    return created.topicId
  }
  const close = async (): Promise<void> => {
    for (const client of clients) client.close()
    await broker.close()
    controller.close()
  }
  return { env, log, host, controller, broker, connect, createTopic, close, APIS }
}

export type Rig = Awaited<ReturnType<typeof openRig>>
