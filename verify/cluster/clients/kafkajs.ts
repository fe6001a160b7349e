// kafkajs as a driver of load (load.ts tells the protocol). A producer per partition, and one `send` at a time on it, with every
// record that has come up meanwhile, because of two faults of kafkajs 2.2: a send to several partitions that is tried again
// holds a partition for written when its new leader has answered for another one (tulios/kafkajs issue 1303), and
// of two sends under way at once on a partition, the later one may take the sequence number of the earlier, and be told of a
// success that was not its own. For the same reason a producer is not used again after a failure.

import kafkajs from 'kafkajs'
import { Load, loadArguments, type LoadRecord } from './load.ts'

interface Waiting {
  readonly record: LoadRecord
  resolve(offset: number): void
  reject(error: unknown): void
}

const FIRST_RETRY_MS = 100
const RETRY_MS_MAX = 1_000
const GROWING_RETRIES = 4
const ANSWER_MS_MAX = 30_000

const given = loadArguments()
const { Kafka, logLevel } = kafkajs
/** Tries that take about the timeout; kafkajs has no limit in time of its own. */
const retries = Math.ceil(given.timeoutMs / RETRY_MS_MAX) + GROWING_RETRIES
const kafka = new Kafka({
  clientId: given.name,
  brokers: [...given.bootstrap],
  logLevel: logLevel.NOTHING,
  retry: { retries, initialRetryTime: FIRST_RETRY_MS, maxRetryTime: RETRY_MS_MAX },
})

class Lane {
  #producer: kafkajs.Producer | undefined
  #queue: Waiting[] = []
  #sending = false

  add(waiting: Waiting): void {
    this.#queue.push(waiting)
    setImmediate(() => void this.#drain())
  }

  async connected(): Promise<kafkajs.Producer> {
    if (this.#producer !== undefined) return this.#producer
    const next = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      retry: { retries, initialRetryTime: FIRST_RETRY_MS, maxRetryTime: RETRY_MS_MAX },
    })
    await next.connect()
    return (this.#producer = next)
  }

  async #drain(): Promise<void> {
    if (this.#sending) return
    this.#sending = true
    while (this.#queue.length > 0) {
      const batch = this.#queue
      this.#queue = []
      try {
        await this.#sendAll(batch)
      } catch (error) {
        for (const { reject } of batch) reject(error)
        const old = this.#producer
        this.#producer = undefined
        await old?.disconnect()
      }
    }
    this.#sending = false
  }

  async #sendAll(batch: readonly Waiting[]): Promise<void> {
    const client = await this.connected()
    const [answer] = await client.send({
      topic: given.topic,
      acks: -1,
      timeout: Math.min(given.timeoutMs, ANSWER_MS_MAX),
      messages: batch.map(({ record }) => ({ ...record })),
    })
    const first = Number(answer?.baseOffset ?? -1)
    batch.forEach(({ resolve }, i) => resolve(first < 0 ? -1 : first + i))
  }
}

process.removeAllListeners('warning') // kafkajs computes a negative delay now and then, which Node remarks upon
const lanes = Array.from({ length: given.partitions }, () => new Lane())
const load = new Load(given, (record) => {
  return new Promise((resolve, reject) => lanes[record.partition]?.add({ record, resolve, reject }))
})
await Promise.all(lanes.map((lane) => lane.connected()))
load.serve()
