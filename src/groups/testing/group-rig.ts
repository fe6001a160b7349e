// Test support: a coordinator over logs in memory and virtual time, called as the broker calls it. Every response goes
// through its codec, so that one that does not fit its version fails the test.

import { resolveBrokerConfigs } from '../../base/config/resolve.ts'
import { asLogId } from '../../base/brand.ts'
import type { Logger } from '../../env/env.ts'
import { join, type Message, type RequestInputOf } from '../../protocol/message.ts'
import { deleteGroups } from '../../protocol/messages/delete-groups.ts'
import { describeGroups } from '../../protocol/messages/describe-groups.ts'
import { heartbeat } from '../../protocol/messages/heartbeat.ts'
import { joinGroup } from '../../protocol/messages/join-group.ts'
import { leaveGroup } from '../../protocol/messages/leave-group.ts'
import { listGroups } from '../../protocol/messages/list-groups.ts'
import { offsetCommit } from '../../protocol/messages/offset-commit.ts'
import { offsetFetch } from '../../protocol/messages/offset-fetch.ts'
import { syncGroup } from '../../protocol/messages/sync-group.ts'
import { ZERO_UUID } from '../../protocol/schema.ts'
import { ReplicatedLogDouble } from '../../replicated/testing/double.ts'
import { VirtualTime } from '../../replicated/testing/virtual-time.ts'
import type { GroupMetadataPort, GroupRequestContext } from '../group-api.ts'
import { GroupCoordinator } from '../group-coordinator.ts'

const nothing = (): void => {}
const silent: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  child: () => silent,
}

interface Pair<Request, RequestInput, Response, ResponseInput> {
  readonly request: Message<Request, RequestInput>
  readonly response: Message<Response, ResponseInput>
}

export interface GroupRigOptions {
  readonly time?: VirtualTime
  /** Logs by partition; their number is that of `__consumer_offsets`. */
  readonly logs?: readonly ReplicatedLogDouble[]
  readonly configs?: Readonly<Record<string, string>>
  readonly topics?: ReadonlyMap<string, number>
}

export class GroupRig {
  /** Answered when the coordinator asks whether it knows all topics that there are. */
  metadataCaughtUp: () => Promise<boolean> = () => Promise.resolve(true)
  readonly time: VirtualTime
  readonly logs: readonly ReplicatedLogDouble[]
  readonly coordinator: GroupCoordinator
  /** Partitions by topic. */
  readonly topics: Map<string, number>
  /** How often a topic was created anew under its name. */
  readonly recreated = new Map<string, number>()
  clientId = 'client'
  #random = 1

  constructor(options: GroupRigOptions = {}) {
    this.time = options.time ?? new VirtualTime()
    this.logs = options.logs ?? [new ReplicatedLogDouble({ id: asLogId('offsets-0') })]
    this.topics = new Map(
      options.topics ?? [
        ['t', 4],
        ['u', 1],
      ],
    )
    const configs = resolveBrokerConfigs({
      staticBroker: new Map(Object.entries(options.configs ?? {})),
    })
    this.coordinator = new GroupCoordinator({
      env: {
        clock: this.time.clock,
        timers: this.time.timers,
        host: this.time.host,
        log: silent,
        random: {
          float: () => 0,
          below: () => 0,
          bytes: (count) => Uint8Array.from({ length: count }, () => this.#nextByte()),
        },
      },
      configs: () => configs,
      metadata: this.#metadata(),
    })
    for (const [partition, log] of this.logs.entries())
      this.coordinator.addPartition(partition, log)
  }

  get log(): ReplicatedLogDouble {
    return this.logs[0]!
  }

  #nextByte(): number {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0
    return this.#random >>> 24
  }

  idOf(topic: string): string {
    const name = `${topic}${this.recreated.get(topic) ?? ''}`
    return Buffer.from(name.padEnd(16, '.').slice(0, 16)).toString('base64url')
  }

  /** Also tells the coordinator. */
  deleteTopic(name: string): void {
    this.topics.delete(name)
    this.coordinator.onTopicsDeleted([{ name, id: this.idOf(name) }])
  }

  #metadata(): GroupMetadataPort {
    const idOf = (topic: string): string => this.idOf(topic)
    return {
      offsetsPartitionCount: () => (this.logs.length === 0 ? undefined : this.logs.length),
      createOffsetsTopic: () => Promise.resolve(3),
      partitionCount: (topic) => this.topics.get(topic),
      topicId: (topic) => (this.topics.has(topic) ? idOf(topic) : ZERO_UUID),
      caughtUp: () => this.metadataCaughtUp(),
      topicName: (id) => [...this.topics.keys()].find((topic) => idOf(topic) === id),
    }
  }

  async #call<Request, RequestInput, Response, ResponseInput>(
    api: Pair<Request, RequestInput, Response, ResponseInput>,
    apiVersion: number,
    input: RequestInput,
    handle: (request: Request, context: GroupRequestContext) => Promise<ResponseInput>,
  ): Promise<Response> {
    const request = api.request.decode(join(api.request.encode(input, apiVersion)), apiVersion)
    const context = { clientId: this.clientId, clientHost: '/127.0.0.1', apiVersion }
    const response = await handle(request, context)
    return api.response.decode(join(api.response.encode(response, apiVersion)), apiVersion)
  }

  join(input: Partial<RequestInputOf<typeof joinGroup>>, version = 9) {
    const request = {
      groupId: 'g',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: version === 0 ? -1 : 60_000,
      memberId: '',
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: subscription('t') }],
      ...input,
    }
    return this.#call(joinGroup, version, request, (r, c) => this.coordinator.joinGroup(r, c))
  }

  sync(input: Partial<RequestInputOf<typeof syncGroup>>, version = 5) {
    const request = { groupId: 'g', generationId: 1, memberId: '', assignments: [], ...input }
    return this.#call(syncGroup, version, request, (r, c) => this.coordinator.syncGroup(r, c))
  }

  async heartbeat(input: Partial<RequestInputOf<typeof heartbeat>>, version = 4): Promise<number> {
    const request = { groupId: 'g', generationId: 1, memberId: '', ...input }
    const handle = this.coordinator.heartbeat.bind(this.coordinator)
    return (await this.#call(heartbeat, version, request, handle)).errorCode
  }

  leave(input: Partial<RequestInputOf<typeof leaveGroup>>, version = 5) {
    const request = { groupId: 'g', ...input }
    return this.#call(leaveGroup, version, request, (r, c) => this.coordinator.leaveGroup(r, c))
  }

  commit(input: Partial<RequestInputOf<typeof offsetCommit>>, version = 9) {
    const request = { groupId: 'g', memberId: '', topics: [], ...input }
    return this.#call(offsetCommit, version, request, (r, c) => this.coordinator.offsetCommit(r, c))
  }

  /** Commits one offset of t-0 and returns its error code. */
  async commitOne(
    committedOffset: number,
    input: Partial<RequestInputOf<typeof offsetCommit>> = {},
    version = 9,
  ): Promise<number> {
    const partition = { partitionIndex: 0, committedOffset, committedMetadata: null }
    const topics = [{ name: 't', partitions: [partition] }]
    const { topics: answered } = await this.commit({ topics, ...input }, version)
    return answered[0]!.partitions[0]!.errorCode
  }

  fetch(input: RequestInputOf<typeof offsetFetch>, version = 9) {
    return this.#call(offsetFetch, version, input, (r, c) => this.coordinator.offsetFetch(r, c))
  }

  /** The committed offset of t-0, or the error as a text. */
  async fetchOne(groupId = 'g'): Promise<number | string> {
    const topics = [{ name: 't', partitionIndexes: [0] }]
    const { groups } = await this.fetch({ groups: [{ groupId, topics }] })
    const [group] = groups
    if (group!.errorCode !== 0) return `error ${group!.errorCode}`
    return group!.topics[0]!.partitions[0]!.committedOffset
  }

  list(input: RequestInputOf<typeof listGroups> = {}, version = 5) {
    return this.#call(listGroups, version, input, (r, c) => this.coordinator.listGroups(r, c))
  }

  async describe(groupId = 'g', version = 6) {
    const handle = this.coordinator.describeGroups.bind(this.coordinator)
    const { groups } = await this.#call(describeGroups, version, { groups: [groupId] }, handle)
    return groups[0]!
  }

  async delete(...groupsNames: string[]): Promise<number[]> {
    const handle = this.coordinator.deleteGroups.bind(this.coordinator)
    const { results } = await this.#call(deleteGroups, 2, { groupsNames }, handle)
    return results.map(({ errorCode }) => errorCode)
  }

  /** Joins with a fresh id, as a client since KIP-394 does; resolves when the generation is formed. */
  async enter(input: Partial<RequestInputOf<typeof joinGroup>> = {}) {
    const { memberId } = await this.join(input)
    return this.join({ ...input, memberId })
  }

  /** Lets the group form with these joins: passes the initial delay. */
  async form<T>(...joins: Promise<T>[]): Promise<T[]> {
    await this.time.advance(6_100)
    return Promise.all(joins)
  }
}

/** Of the consumer protocol, version 0: topics, no user data. */
export function subscription(...topics: string[]): Uint8Array {
  const parts: Buffer[] = [Buffer.from([0, 0, 0, 0, 0, topics.length])]
  for (const topic of topics) parts.push(Buffer.from([0, topic.length]), Buffer.from(topic))
  parts.push(Buffer.from([0xff, 0xff, 0xff, 0xff]))
  return new Uint8Array(Buffer.concat(parts))
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
