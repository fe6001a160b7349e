// A broker of one node for the client's tests: it keeps its partitions in memory, checks the sequences of idempotent
// producers as a broker must, and fails the way that a test tells it to. Each connection is served one request at a
// time, in order; connections do not wait for one another.

import type { Env } from '../../env/env.ts'
import type { Connection } from '../../env/network.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import { FrameSplitter } from '../../protocol/frames.ts'
import { decodeRequestHeader, type RequestHeader } from '../../protocol/headers.ts'
import type { AnyApi, RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import { apiVersions } from '../../protocol/messages/api-versions.ts'
import { fetch } from '../../protocol/messages/fetch.ts'
import { initProducerId } from '../../protocol/messages/init-producer-id.ts'
import { listOffsets } from '../../protocol/messages/list-offsets.ts'
import { metadata } from '../../protocol/messages/metadata.ts'
import { produce } from '../../protocol/messages/produce.ts'
import { decodeRequest, encodeResponse } from '../../protocol/requests.ts'
import { FakePartition } from './fake-partition.ts'

/** What goes wrong with a produce for one partition. */
export type ProduceFault =
  | { readonly kind: 'error'; readonly code: number; readonly written: boolean }
  /** The connection ends instead of an answer. */
  | { readonly kind: 'cut'; readonly written: boolean }

export interface FakeBrokerOptions {
  readonly host: string
  readonly port: number
  readonly topics: Readonly<Record<string, number>>
  /** Asked once for each partition of a produce request. */
  readonly fault?: () => ProduceFault | undefined
  /** How long a request takes. */
  readonly delayMs?: () => number
}

const APIS: readonly AnyApi[] = [apiVersions, metadata, initProducerId, produce, listOffsets, fetch]
const NODE_ID = 7

export class FakeBroker {
  readonly #env: Env
  readonly #options: FakeBrokerOptions
  readonly #partitions = new Map<string, FakePartition>()
  #nextProducerId = 1000
  /** Requests answered, by API key. */
  readonly requests = new Map<number, number>()

  constructor(env: Env, options: FakeBrokerOptions) {
    this.#env = env
    this.#options = options
    for (const [topic, partitions] of Object.entries(options.topics)) {
      for (let i = 0; i < partitions; i++)
        this.#partitions.set(`${topic} ${i}`, new FakePartition())
    }
  }

  async start(): Promise<void> {
    const { host, port } = this.#options
    await this.#env.network.listen({ host, port }, (connection) => this.#serve(connection))
  }

  partition(topic: string, index: number): FakePartition {
    const partition = this.#partitions.get(`${topic} ${index}`)
    if (partition === undefined) throw new Error(`no partition ${topic}-${index}`)
    return partition
  }

  #serve(connection: Connection): void {
    const frames = new FrameSplitter({ frameBytesMax: 1 << 26 })
    const queue: Uint8Array[] = []
    let busy = false
    let open = true
    const next = (): void => {
      const frame = queue[0]
      if (busy || frame === undefined) return
      busy = true
      this.#env.timers.after(this.#delayMs(frame), () => {
        queue.shift()
        busy = false
        const answer = this.#answer(frame)
        if (answer === 'cut') connection.destroy()
        else if (open && answer.length > 0) connection.write(answer)
        next()
      })
    }
    connection.start({
      onData: (chunk) => {
        queue.push(...frames.push(chunk))
        next()
      },
      // What arrived before is still done, as by a broker that had read it already.
      onClose: () => (open = false),
    })
  }

  /** A fetch that finds nothing waits, if shorter than a real one would. */
  #delayMs(frame: Uint8Array): number {
    const delayMs = this.#options.delayMs?.() ?? 0
    const { header, body } = decodeRequestHeader(frame)
    if (header.apiKey !== fetch.key) return delayMs
    const request = decodeRequest(fetch, header.apiVersion, body)
    const found = request.topics.some(({ topic, partitions }) =>
      partitions.some((p) => this.partition(topic, p.partition).end !== p.fetchOffset),
    )
    return found ? delayMs : delayMs + Math.min(request.maxWaitMs, 20)
  }

  #answer(frame: Uint8Array): Uint8Array[] | 'cut' {
    const { header, body } = decodeRequestHeader(frame)
    this.requests.set(header.apiKey, (this.requests.get(header.apiKey) ?? 0) + 1)
    switch (header.apiKey) {
      case apiVersions.key:
        return reply(apiVersions, header, {
          errorCode: 0,
          apiKeys: APIS.map(({ key, minVersion, maxVersion }) => ({
            apiKey: key,
            minVersion,
            maxVersion,
          })),
        })
      case metadata.key:
        return reply(
          metadata,
          header,
          this.#metadata(decodeRequest(metadata, header.apiVersion, body)),
        )
      case initProducerId.key:
        return reply(initProducerId, header, {
          errorCode: 0,
          producerId: this.#nextProducerId++,
          producerEpoch: 0,
        })
      case produce.key:
        return this.#produce(header, decodeRequest(produce, header.apiVersion, body))
      case listOffsets.key:
        return reply(
          listOffsets,
          header,
          this.#offsets(decodeRequest(listOffsets, header.apiVersion, body)),
        )
      case fetch.key:
        return reply(fetch, header, this.#fetch(decodeRequest(fetch, header.apiVersion, body)))
      default:
        return 'cut'
    }
  }

  #metadata(request: RequestOf<typeof metadata>): ResponseInputOf<typeof metadata> {
    const { host, port, topics } = this.#options
    const names =
      request.topics === null ? Object.keys(topics) : request.topics.map((t) => t.name ?? '')
    return {
      brokers: [{ nodeId: NODE_ID, host, port }],
      controllerId: NODE_ID,
      topics: names.map((name) => {
        const partitions = topics[name] ?? 0
        return {
          name,
          errorCode: partitions === 0 ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : 0,
          partitions: Array.from({ length: partitions }, (_, i) => ({
            errorCode: 0,
            partitionIndex: i,
            leaderId: NODE_ID,
            leaderEpoch: 0,
            replicaNodes: [NODE_ID],
            isrNodes: [NODE_ID],
          })),
        }
      }),
    }
  }

  #produce(header: RequestHeader, request: RequestOf<typeof produce>): Uint8Array[] | 'cut' {
    let cut = false
    const responses = request.topicData.map(({ name, partitionData }) => ({
      name,
      partitionResponses: partitionData.map(({ index, records }) => {
        const fault = this.#options.fault?.()
        cut ||= fault?.kind === 'cut'
        if (fault !== undefined && !fault.written) {
          return { index, errorCode: fault.kind === 'error' ? fault.code : 0, baseOffset: -1 }
        }
        const result = this.partition(name, index).append(records ?? new Uint8Array(0))
        const errorCode = fault?.kind === 'error' ? fault.code : result.errorCode
        return { index, errorCode, baseOffset: result.baseOffset }
      }),
    }))
    if (cut) return 'cut'
    return request.acks === 0 ? [] : reply(produce, header, { responses })
  }

  #offsets(request: RequestOf<typeof listOffsets>): ResponseInputOf<typeof listOffsets> {
    return {
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, timestamp }) => ({
          partitionIndex,
          errorCode: 0,
          offset: this.partition(name, partitionIndex).offsetAt(timestamp),
        })),
      })),
    }
  }

  #fetch(request: RequestOf<typeof fetch>): ResponseInputOf<typeof fetch> {
    return {
      responses: request.topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(({ partition, fetchOffset }) => {
          const log = this.partition(topic, partition)
          const inRange = fetchOffset >= 0 && fetchOffset <= log.end
          return {
            partitionIndex: partition,
            errorCode: inRange ? 0 : ErrorCode.OFFSET_OUT_OF_RANGE,
            highWatermark: log.end,
            abortedTransactions: null,
            records: log.from(fetchOffset),
          }
        }),
      })),
    }
  }
}

function reply<A extends AnyApi>(
  api: A,
  header: RequestHeader,
  body: ResponseInputOf<A>,
): Uint8Array[] {
  return encodeResponse(api, header.apiVersion, header.correlationId, body)
}
