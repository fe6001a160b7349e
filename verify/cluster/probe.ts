// A client that is started after a fault, to measure when the cluster serves again: it knows nothing, finds the leader of one
// partition and sends one record until it is acknowledged.

import { Cluster } from '../../src/client/cluster.ts'
import type { ClientEnv } from '../../src/client/client-env.ts'
import { ProduceError } from '../../src/client/produce-batch.ts'
import { Producer } from '../../src/client/producer.ts'
import type { Body, Recorder } from '../history/recorder.ts'
import { crcOf } from '../sim/content.ts'
import { addressesOf } from './addresses.ts'
import { nowMs } from './clients/load.ts'

export interface ProbeOptions {
  readonly bootstrap: string
  readonly topic: string
  readonly partition: number
  /** Unique in the run. */
  readonly name: string
  readonly timeoutMs: number
}

/** It looks again soon, and does not wait long for a node that does not answer. */
const BACKOFF_MS = 10
const BACKOFF_MS_MAX = 50
const ANSWER_MS_MAX = 400

/** Milliseconds until the acknowledgement; throws ProduceError when none came in time. */
export async function probe(
  env: ClientEnv,
  recorder: Recorder,
  options: ProbeOptions,
): Promise<number> {
  const { topic, partition, name, timeoutMs } = options
  const startedMs = nowMs()
  const cluster = new Cluster(env, {
    bootstrap: addressesOf(options.bootstrap.split(',')),
    clientId: name,
    requestTimeoutMs: ANSWER_MS_MAX,
    connectTimeoutMs: ANSWER_MS_MAX,
  })
  const producer = new Producer(cluster, {
    lingerMs: 0,
    deliveryTimeoutMs: timeoutMs,
    requestTimeoutMs: ANSWER_MS_MAX,
    retryBackoffMs: BACKOFF_MS,
    retryBackoffMaxMs: BACKOFF_MS_MAX,
    autoCreateTopics: false,
  })
  const token = `${name}/0`
  const value = new TextEncoder().encode(`${token}\n`)
  const body = (outcome: 'ok' | 'fail' | 'indeterminate', offset: number): Body => {
    const record = { topic, partition, value: token, crc: crcOf(null, value), outcome, offset }
    return { kind: 'produce', acks: 'all', idempotent: true, ordered: true, records: [record] }
  }
  const begun = recorder.begin(name, body('indeterminate', -1))
  try {
    const { offset } = await producer.send({ topic, partition, key: null, value })
    recorder.end(begun, body('ok', offset))
    return nowMs() - startedMs
  } catch (error) {
    const refused = error instanceof ProduceError && error.outcome === 'refused'
    recorder.end(begun, body(refused ? 'fail' : 'indeterminate', -1))
    throw error
  } finally {
    cluster.close()
  }
}
