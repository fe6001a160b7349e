// Requests to one node alone, whoever leads: what a client would do that still believes in an old leader.

import { BrokerConnection, CONNECTION_DEFAULTS } from '../../src/client/connection.ts'
import type { ClientEnv } from '../../src/client/client-env.ts'
import { KafkaError } from '../../src/client/client-error.ts'
import { errorName } from '../../src/protocol/error-codes.ts'
import { listOffsets } from '../../src/protocol/messages/list-offsets.ts'
import { produce } from '../../src/protocol/messages/produce.ts'
import { buildBatch } from '../../src/records/build.ts'
import type { Body, Recorder } from '../history/recorder.ts'
import { crcOf } from '../sim/content.ts'
import { fetchOn } from '../sim/reading.ts'
import { nowMs } from './clients/load.ts'

export interface Answer {
  /** `NONE`: success. `no answer`: the connection ended, or nothing came in time. */
  readonly error: string
  /** Of the record, or the latest; -1 with an error. */
  readonly offset: number
  readonly atMs: number
}

const ANSWER_MS_MAX = 60_000
/** Later versions name topics by id. */
const PRODUCE_VERSION_MAX = 12
const LATEST = -1

export class Direct {
  readonly #connection: BrokerConnection
  readonly #recorder: Recorder
  readonly #topic: string
  readonly #name: string
  #sent = 0

  private constructor(
    connection: BrokerConnection,
    recorder: Recorder,
    topic: string,
    name: string,
  ) {
    this.#connection = connection
    this.#recorder = recorder
    this.#topic = topic
    this.#name = name
  }

  /** `name` is unique in the run. */
  static async open(
    env: ClientEnv,
    port: number,
    recorder: Recorder,
    topic: string,
    name: string,
  ): Promise<Direct> {
    const options = { ...CONNECTION_DEFAULTS, clientId: name, requestTimeoutMs: ANSWER_MS_MAX }
    const connection = await BrokerConnection.open(env, { host: '127.0.0.1', port }, options)
    return new Direct(connection, recorder, topic, name)
  }

  /** One record with acks=all, which the node may hold back for `timeoutMs`. */
  async produce(partition: number, timeoutMs: number): Promise<Answer> {
    const value = `${this.#name}/${this.#sent++}`
    const bytes = new TextEncoder().encode(`${value}\n`)
    const body = (answer: Answer | undefined): Body => {
      const ok = answer?.error === 'NONE'
      const record = {
        topic: this.#topic,
        partition,
        value,
        crc: crcOf(null, bytes),
        outcome: ok ? ('ok' as const) : ('indeterminate' as const),
        offset: ok ? answer.offset : -1,
      }
      return { kind: 'produce', acks: 'all', idempotent: false, ordered: false, records: [record] }
    }
    const records = buildBatch([{ key: null, value: bytes, headers: [], timestampMs: Date.now() }])
    const begun = this.#recorder.begin(this.#name, body(undefined))
    const answer = await this.#answer(async () => {
      const response = await this.#connection.request(
        produce,
        () => ({
          acks: -1,
          timeoutMs,
          topicData: [{ name: this.#topic, partitionData: [{ index: partition, records }] }],
        }),
        { versionMax: PRODUCE_VERSION_MAX },
      )
      const found = response.responses[0]?.partitionResponses[0]
      return [found?.errorCode ?? -1, found?.baseOffset ?? -1]
    })
    this.#recorder.end(begun, body(answer))
    return answer
  }

  /** The offset after the last committed record, as the node knows it. */
  latest(partition: number): Promise<Answer> {
    return this.#answer(async () => {
      const response = await this.#connection.request(listOffsets, () => ({
        replicaId: -1,
        isolationLevel: 0,
        topics: [
          { name: this.#topic, partitions: [{ partitionIndex: partition, timestamp: LATEST }] },
        ],
      }))
      const found = response.topics[0]?.partitions[0]
      return [found?.errorCode ?? -1, found?.offset ?? -1]
    })
  }

  /** What the node serves from `from` on goes into the history; the answer names the offset after it. */
  fetch(partition: number, from: number): Promise<Answer> {
    const topic = this.#topic
    const process = `${this.#name}-fetch`
    this.#recorder.note(process, { kind: 'assign', positions: [{ topic, partition, from }] })
    const begun = this.#recorder.begin(process)
    return this.#answer(async () => {
      try {
        const found = await fetchOn(this.#connection, { topic, partition, offset: from })
        this.#recorder.end(begun, { kind: 'poll', records: found.records })
        return [0, found.next]
      } catch (error) {
        this.#recorder.end(begun, undefined)
        if (error instanceof KafkaError) return [error.code, -1]
        throw error
      }
    })
  }

  async #answer(ask: () => Promise<readonly [number, number]>): Promise<Answer> {
    try {
      const [code, offset] = await ask()
      return { error: errorName(code), offset: code === 0 ? offset : -1, atMs: nowMs() }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      return { error: `no answer: ${why}`, offset: -1, atMs: nowMs() }
    }
  }

  close(): void {
    this.#connection.close()
  }
}
