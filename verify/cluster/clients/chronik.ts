// The project's own client as a driver of load (load.ts tells the protocol).

import { Cluster } from '../../../src/client/cluster.ts'
import { ProduceError } from '../../../src/client/produce-batch.ts'
import { Producer } from '../../../src/client/producer.ts'
import { nodeEnv } from '../../../src/env/node/node-env.ts'
import { addressesOf } from '../addresses.ts'
import { Load, loadArguments, NotAcknowledged } from './load.ts'

const given = loadArguments()
const cluster = new Cluster(nodeEnv(), { bootstrap: addressesOf(given.bootstrap) })
const producer = new Producer(cluster, {
  deliveryTimeoutMs: given.timeoutMs,
  requestTimeoutMs: Math.min(given.timeoutMs, 30_000),
  autoCreateTopics: false,
})
const encoder = new TextEncoder()

const load = new Load(given, async ({ partition, key, value }) => {
  try {
    const record = { key: encoder.encode(key), value: encoder.encode(value) }
    const { offset } = await producer.send({ topic: given.topic, partition, ...record })
    return offset
  } catch (error) {
    if (error instanceof ProduceError) throw new NotAcknowledged(error.outcome, error.message)
    throw error
  }
})
await cluster.refresh([given.topic])
load.serve()
