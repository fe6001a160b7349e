// Asks every running node for its metadata every few milliseconds and keeps what changed and when: who leads, who is in sync, as
// clients are told. Times are of the answers, on the wall clock.

import { BrokerConnection, CONNECTION_DEFAULTS } from '../../src/client/connection.ts'
import type { ClientEnv } from '../../src/client/client-env.ts'
import { RequestError } from '../../src/client/client-error.ts'
import { metadata } from '../../src/protocol/messages/metadata.ts'
import { sleep } from '../../test/compat/process.ts'
import { nowMs } from './clients/load.ts'

export interface Seen {
  readonly atMs: number
  /** Who said so. */
  readonly node: number
  readonly partition: number
  /** -1: none. */
  readonly leader: number
  readonly epoch: number
  readonly replicas: readonly number[]
  /** Ascending. */
  readonly isr: readonly number[]
}

const ASK_EVERY_MS = 5
const ASK_AGAIN_MS = 15
const ANSWER_MS_MAX = 1_000

export class Monitor {
  readonly topic: string
  readonly #env: ClientEnv
  readonly #ports: ReadonlyMap<number, number>
  readonly #isRunning: (node: number) => boolean
  readonly #log: Seen[] = []
  /** `node partition` → the latest. */
  readonly #latest = new Map<string, Seen>()
  readonly #loops: Promise<void>[] = []
  #closed = false

  constructor(
    env: ClientEnv,
    options: {
      readonly topic: string
      readonly ports: ReadonlyMap<number, number>
      /** Whether it makes sense to ask that node. */
      readonly isRunning: (node: number) => boolean
    },
  ) {
    this.#env = env
    this.topic = options.topic
    this.#ports = options.ports
    this.#isRunning = options.isRunning
    for (const [node, port] of options.ports) this.#loops.push(this.#watch(node, port))
  }

  /** All changes so far, oldest first. */
  get log(): readonly Seen[] {
    return this.#log
  }

  /** What the node said last; undefined also once it has been found not to answer. */
  view(node: number, partition: number): Seen | undefined {
    return this.#latest.get(`${node} ${partition}`)
  }

  views(partition: number): Seen[] {
    return [...this.#ports.keys()].flatMap((node) => this.view(node, partition) ?? [])
  }

  /** The leader of the newest epoch that anyone names; -1: none. */
  leader(partition: number): number {
    return this.views(partition).toSorted((a, b) => b.epoch - a.epoch)[0]?.leader ?? -1
  }

  /** The first change at or after `fromMs` for which `wanted` holds, now or once it comes. */
  async when(
    what: string,
    fromMs: number,
    timeoutMs: number,
    wanted: (seen: Seen) => boolean,
  ): Promise<Seen> {
    const endMs = nowMs() + timeoutMs
    let next = 0
    for (;;) {
      for (; next < this.#log.length; next++) {
        const seen = this.#log[next]
        if (seen !== undefined && seen.atMs >= fromMs && wanted(seen)) return seen
      }
      if (nowMs() > endMs) throw new Error(`waited ${timeoutMs} ms for: ${what}`)
      await sleep(ASK_EVERY_MS)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.#loops)
  }

  async #watch(node: number, port: number): Promise<void> {
    let connection: BrokerConnection | undefined
    while (!this.#closed) {
      if (!this.#isRunning(node)) {
        connection?.close()
        connection = undefined
        this.#forget(node)
        await sleep(ASK_AGAIN_MS)
        continue
      }
      try {
        connection ??= await BrokerConnection.open(
          this.#env,
          { host: '127.0.0.1', port },
          { ...CONNECTION_DEFAULTS, clientId: 'monitor', requestTimeoutMs: ANSWER_MS_MAX },
        )
        await this.#ask(node, connection)
        await sleep(ASK_EVERY_MS)
      } catch (error) {
        if (!(error instanceof RequestError)) throw error
        connection?.close()
        connection = undefined
        this.#forget(node)
        await sleep(ASK_AGAIN_MS)
      }
    }
    connection?.close()
  }

  async #ask(node: number, connection: BrokerConnection): Promise<void> {
    const topics = [{ name: this.topic }]
    const answer = await connection.request(metadata, () => ({
      topics,
      allowAutoTopicCreation: false,
    }))
    const atMs = nowMs()
    for (const { partitions } of answer.topics) {
      for (const { partitionIndex, leaderId, leaderEpoch, replicaNodes, isrNodes } of partitions) {
        this.#take({
          atMs,
          node,
          partition: partitionIndex,
          leader: leaderId,
          epoch: leaderEpoch,
          replicas: replicaNodes,
          isr: isrNodes.toSorted((a, b) => a - b),
        })
      }
    }
  }

  #take(seen: Seen): void {
    const key = `${seen.node} ${seen.partition}`
    const before = this.#latest.get(key)
    this.#latest.set(key, seen)
    const same =
      before !== undefined &&
      before.leader === seen.leader &&
      before.epoch === seen.epoch &&
      before.isr.join() === seen.isr.join()
    if (!same) this.#log.push(seen)
  }

  #forget(node: number): void {
    for (const key of this.#latest.keys()) {
      if (key.startsWith(`${node} `)) this.#latest.delete(key)
    }
  }
}
