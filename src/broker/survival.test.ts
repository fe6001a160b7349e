// A whole broker over the real storage in the simulated world, killed and cut off its power again and again while an
// idempotent producer pipelines: what was acknowledged is there afterwards, at its offset, once and in order.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asNodeId } from '../base/brand.ts'
import { resolveBrokerConfigs } from '../base/config/resolve.ts'
import { Controller } from '../controller/controller.ts'
import { METADATA_LOG_DIRECTORY, METADATA_LOG_ID } from '../controller/metadata-image.ts'
import type { Env } from '../env/env.ts'
import { NetError } from '../env/network.ts'
import { Simulation } from '../env/sim/simulation.ts'
import { APIS } from '../protocol/apis.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { ZERO_UUID } from '../protocol/schema.ts'
import { MultiRaft } from '../multiraft/multiraft.ts'
import { DEFAULT_TIMING } from '../multiraft/options.ts'
import { RaftLogHost } from '../replicated/raft-log-host.ts'
import { openStore } from '../storage/open-store.ts'
import { Broker } from './broker.ts'
import { RawClient } from './testing/raw-client.ts'
import { batchOf, fetchRequest, produceRequest, valuesIn } from './testing/requests.ts'
import { groupsDouble } from './testing/rig.ts'

const SEEDS = 4
const RECORDS = 200
const PORT = 9092
const IN_FLIGHT = 5
const PATIENCE_MS = 1500
/** Between an acknowledgement and the next record, so that the faults find it at work. */
const THINK_MS = 20
const TOPIC = 'survivors'

async function startNode(env: Env): Promise<void> {
  const nodeId = asNodeId(1)
  const store = await openStore(env, { directory: '/data', journalFirstFileBytes: 1 << 20 })
  const node = MultiRaft.alone({ env, nodeId, store, timing: DEFAULT_TIMING })
  const host = new RaftLogHost({ node, host: env.host })
  const log = await host.open({
    id: METADATA_LOG_ID,
    directory: METADATA_LOG_DIRECTORY,
    config: { segmentBytes: 1 << 20, segmentMs: 1e9, indexIntervalBytes: 4096 },
    voters: [{ nodeId, directoryId: store.directoryId }],
  })
  const staticConfigs = new Map([['log.segment.bytes', '150000']])
  const controller = await Controller.open({ log, nodeId, env, staticConfigs })
  const broker = new Broker({
    env,
    nodeId,
    listeners: [{ name: 'PLAINTEXT', bind: { host: 'node', port: PORT } }],
    config: resolveBrokerConfigs({ staticBroker: staticConfigs }),
    host,
    controller,
    groups: groupsDouble(),
  })
  await broker.open()
  await broker.bind()
  const listener = { name: 'PLAINTEXT', host: 'node', port: PORT, securityProtocol: 'PLAINTEXT' }
  await controller.registerBroker({
    nodeId,
    directoryId: store.directoryId,
    rack: null,
    raft: null,
    http: null,
    listeners: [listener],
  })
  broker.serve()
}

class RetryLater extends Error {}

/** Sends the records 0, 1, 2, … one batch each, whatever happens to the node. */
class SteadyProducer {
  readonly #env: Env
  /** By record. */
  readonly acknowledged: number[] = []
  #client: RawClient | undefined
  #producerId = -1
  #sent = 0
  done = false

  constructor(env: Env) {
    this.#env = env
  }

  async run(): Promise<void> {
    while (this.acknowledged.length < RECORDS) {
      try {
        await this.#connectedRun(await this.#connect())
      } catch (error) {
        if (!(error instanceof RetryLater || error instanceof NetError)) throw error
        // Lost, refused or late: what is not acknowledged is sent again, in order.
        this.#client?.close()
        this.#client = undefined
        await this.sleep(30)
      }
    }
    this.done = true
  }

  /** `offset:value` of every record there is. */
  async readAll(): Promise<string[]> {
    this.#client = undefined
    const client = await this.#connect()
    const values: string[] = []
    for (;;) {
      const request = fetchRequest(TOPIC, values.length, { maxBytes: 10_000_000 })
      const { responses } = await this.#patient(client.send(APIS.Fetch, 11, request))
      const [answer] = responses[0]?.partitions ?? []
      assert.equal(answer?.errorCode, ErrorCode.NONE)
      const more = valuesIn(answer?.records ?? null)
      if (more.length === 0) return values
      values.push(...more)
    }
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#env.timers.after(ms, resolve))
  }

  async #connect(): Promise<RawClient> {
    this.#client ??= await RawClient.connect(this.#env.network, PORT, { host: 'node' })
    return this.#client
  }

  async #connectedRun(client: RawClient): Promise<void> {
    const named = {
      topics: [{ topicId: ZERO_UUID, name: TOPIC }],
      includeTopicAuthorizedOperations: false,
    }
    const metadata = await this.#patient(client.send(APIS.Metadata, 9, named))
    if (metadata.topics[0]?.partitions[0]?.leaderId !== 1) throw new RetryLater('no leader yet')
    if (this.#producerId < 0) {
      const given = await this.#patient(
        client.send(APIS.InitProducerId, 4, { transactionalId: null, transactionTimeoutMs: 0 }),
      )
      if (given.errorCode !== ErrorCode.NONE) throw new RetryLater('no producer id yet')
      this.#producerId = given.producerId
    }
    this.#sent = this.acknowledged.length
    const lanes = Array.from({ length: IN_FLIGHT }, () => this.#sendOn(client))
    await Promise.all(lanes)
  }

  async #sendOn(client: RawClient): Promise<void> {
    while (this.#sent < RECORDS && this.#client === client) {
      const record = this.#sent++
      const producer = { producerId: this.#producerId, producerEpoch: 0, baseSequence: record }
      // Some batches are large enough to go to the segment directly.
      const value = record % 10 === 3 ? `${record} ${'x'.repeat(70_000)}` : String(record)
      const request = produceRequest(TOPIC, batchOf([value], { producer }))
      const answer = await this.#patient(client.send(APIS.Produce, 9, request))
      const { errorCode, baseOffset } = answer.responses[0]!.partitionResponses[0]!
      if (errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER) throw new RetryLater('no leader')
      assert.equal(errorCode, ErrorCode.NONE)
      assert.equal(record, this.acknowledged.length, 'acknowledged out of order')
      this.acknowledged.push(baseOffset)
      await this.sleep(THINK_MS)
    }
  }

  /** A power cut sends no reset. */
  #patient<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = this.#env.timers.after(PATIENCE_MS, () => reject(new RetryLater('no answer')))
      promise.then(resolve, reject).finally(() => timer.cancel())
    })
  }
}

async function survive(seed: number): Promise<string> {
  const simulation = new Simulation(seed)
  const { chance } = simulation
  const node = simulation.host('node')
  const boot = (): void => {
    // Of a process that is killed while it starts, nothing settles.
    startNode(node.boot()).catch((error: unknown) => simulation.trace(String(error)))
  }
  boot()
  const producer = new SteadyProducer(simulation.host('client').boot())
  const produced = producer.run()
  let faults = 0
  const strike = (): void => {
    node.onDiskStep = undefined
    faults++
    if (chance.below(2) === 0) node.kill()
    else node.powerCut()
    // The page cache survives a kill and is lost to a power cut that comes after it.
    if (chance.below(3) === 0) node.powerCut()
    simulation.after(1 + chance.below(50), boot)
    simulation.after(60 + chance.below(600), arm)
  }
  /** The next blow falls in the middle of a disk operation, where there is most to lose. */
  const arm = (): void => {
    if (producer.done || faults >= 6) return
    let steps = chance.below(8)
    node.onDiskStep = () => {
      if (steps-- === 0) strike()
    }
  }
  simulation.after(50 + chance.below(200), arm)
  await simulation.settle(produced, { withinMs: 300_000 })
  node.onDiskStep = undefined
  await simulation.settle(producer.sleep(2000))
  if (!node.alive) boot()
  await simulation.settle(producer.sleep(2000))
  const values = await simulation.settle(producer.readAll(), { withinMs: 10_000 })
  const read = values.map((value) => value.split(' ')[0])
  assert.deepEqual(
    read,
    Array.from({ length: RECORDS }, (_, record) => `${record}:${record}`),
    `seed ${seed}`,
  )
  assert.deepEqual(
    producer.acknowledged,
    Array.from({ length: RECORDS }, (_, record) => record),
    `seed ${seed}`,
  )
  assert.deepEqual(node.fatals, [], `seed ${seed}`)
  return `${simulation.traceHash} ${faults}`
}

test('what was acknowledged survives kills and power cuts, once and in order', async () => {
  let faults = 0
  for (let seed = 0; seed < SEEDS; seed++) faults += Number((await survive(seed)).split(' ')[1])
  assert.ok(faults > SEEDS, `${faults} faults`)
})

test('a seed decides everything', async () => {
  assert.equal(await survive(3), await survive(3))
})
