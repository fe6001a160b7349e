// Carries batches to the leaders of their partitions: one request per node, several in flight, and an outcome for
// every batch.

import { errorName, type ErrorName } from '../protocol/error-codes.ts'
import { produce } from '../protocol/messages/produce.ts'
import type { ResponseOf } from '../protocol/message.ts'
import { ZERO_UUID } from '../protocol/schema.ts'
import type { Cluster, NodeInfo } from './cluster.ts'
import { isTransient, RequestError } from './client-error.ts'
import type { ProduceBatch } from './produce-batch.ts'
import { verdictOf, type Verdict } from './produce-verdict.ts'
import type { ProducerOptions } from './producer-options.ts'

export type Outcome =
  | { readonly kind: 'written'; readonly baseOffset: number; readonly logAppendTimeMs: number }
  | (Verdict & { readonly kind: 'retry' } & { readonly message: string })
  | { readonly kind: 'sequence'; readonly message: string }
  | {
      readonly kind: 'fail'
      readonly uncertain: boolean
      readonly message: string
      readonly error: ErrorName | undefined
    }

type Settle = (batch: ProduceBatch, outcome: Outcome) => void
type PartitionAnswer = ResponseOf<typeof produce>['responses'][number]['partitionResponses'][number]

/** Since it, topics are named by id (KIP-516): a node that has not heard yet that one was deleted and created anew refuses. */
const TOPIC_IDS_SINCE = 13
/** The broker's own timeout comes first, and with it a definite answer. */
const ANSWER_GRACE_MS = 2000
/** Bytes on their way to all nodes. */
const IN_FLIGHT_BYTES_MAX = 16 * 1024 * 1024

export class ProduceSender {
  readonly #cluster: Cluster
  readonly #options: ProducerOptions
  #inFlightBytes = 0

  constructor(cluster: Cluster, options: ProducerOptions) {
    this.#cluster = cluster
    this.#options = options
  }

  hasRoom(batch: ProduceBatch): boolean {
    return this.#inFlightBytes === 0 || this.#inFlightBytes + batch.bytes <= IN_FLIGHT_BYTES_MAX
  }

  /** Counts the batch as on its way, until it is settled. */
  reserve(batch: ProduceBatch): void {
    this.#inFlightBytes += batch.bytes
  }

  /** Sends the batches, each reserved before; `settle` is called once for each, in a later turn. */
  send(batches: readonly ProduceBatch[], settle: Settle): void {
    const released: Settle = (batch, outcome) => {
      this.#inFlightBytes -= batch.bytes
      settle(batch, outcome)
    }
    for (const [node, group] of this.#byNode(batches)) {
      for (const request of this.#split(group)) {
        this.#request(node, request, released).catch((error: unknown) =>
          this.#failed(request, error, released),
        )
      }
    }
  }

  /** A batch whose leader is not known goes to no node; the producer asks before it takes one. */
  #byNode(batches: readonly ProduceBatch[]): Map<NodeInfo, ProduceBatch[]> {
    const groups = new Map<NodeInfo, ProduceBatch[]>()
    for (const batch of batches) {
      const leader = this.#cluster.leaderOf(batch.topic, batch.partition)
      if (leader === undefined) throw new Error('a batch without a leader')
      const group = groups.get(leader.node)
      if (group === undefined) groups.set(leader.node, [batch])
      else group.push(batch)
    }
    return groups
  }

  /** Requests of bounded size with at most one batch per partition, as brokers demand; in order. */
  #split(batches: readonly ProduceBatch[]): ProduceBatch[][] {
    const requests: ProduceBatch[][] = []
    let current: ProduceBatch[] = []
    let bytes = 0
    for (const batch of batches) {
      const same = current.some((b) => b.topic === batch.topic && b.partition === batch.partition)
      const full = bytes + batch.bytes > this.#options.requestBytes
      if (current.length > 0 && (same || full)) {
        requests.push(current)
        current = []
        bytes = 0
      }
      current.push(batch)
      bytes += batch.bytes
    }
    if (current.length > 0) requests.push(current)
    return requests
  }

  async #request(node: NodeInfo, batches: readonly ProduceBatch[], settle: Settle): Promise<void> {
    const connection = await this.#cluster.connectionTo(node)
    const ids = this.#topicIds(batches)
    const body = (): Parameters<typeof produce.request.encode>[0] => ({
      acks: this.#options.acks === 'all' ? -1 : this.#options.acks,
      timeoutMs: this.#options.requestTimeoutMs,
      topicData: topicData(batches, ids),
    })
    const limits = {
      versionMax: [...ids.values()].includes(ZERO_UUID) ? TOPIC_IDS_SINCE - 1 : TOPIC_IDS_SINCE,
      timeoutMs: this.#options.requestTimeoutMs + ANSWER_GRACE_MS,
    }
    if (this.#options.acks === 0) {
      await connection.send(produce, body, limits)
      for (const batch of batches)
        settle(batch, { kind: 'written', baseOffset: -1, logAppendTimeMs: -1 })
      return
    }
    const answer = await connection.request(produce, body, limits)
    const names = new Map([...ids].map(([name, id]) => [id, name]))
    const answers = new Map<string, PartitionAnswer>()
    for (const topic of answer.responses) {
      const name = topic.topicId === ZERO_UUID ? topic.name : (names.get(topic.topicId) ?? '')
      this.#learnLeaders(name, topic.partitionResponses, answer.nodeEndpoints)
      for (const partition of topic.partitionResponses) {
        answers.set(`${name} ${partition.index}`, partition)
      }
    }
    for (const batch of batches) {
      settle(batch, outcomeOf(batch, answers.get(`${batch.topic} ${batch.partition}`)))
    }
  }

  /** By name; zero where it is not known. */
  #topicIds(batches: readonly ProduceBatch[]): ReadonlyMap<string, string> {
    return new Map(
      batches.map(({ topic }) => [topic, this.#cluster.topic(topic)?.topicId ?? ZERO_UUID]),
    )
  }

  #failed(batches: readonly ProduceBatch[], error: unknown, settle: Settle): void {
    const uncertain = error instanceof RequestError && error.mayBeDone
    const message = error instanceof Error ? error.message : String(error)
    for (const batch of batches) {
      settle(
        batch,
        isTransient(error)
          ? { kind: 'retry', uncertain, refreshLeader: true, message }
          : { kind: 'fail', uncertain, message, error: undefined },
      )
    }
  }

  #learnLeaders(
    topic: string,
    partitions: readonly PartitionAnswer[],
    nodes: ResponseOf<typeof produce>['nodeEndpoints'],
  ): void {
    for (const { index, currentLeader } of partitions) {
      const endpoint = nodes.find((node) => node.nodeId === currentLeader.leaderId)
      if (endpoint === undefined) continue
      const { nodeId, host, port, rack } = endpoint
      const node = { id: nodeId, host, port, rack }
      this.#cluster.learnLeader(topic, index, { node, epoch: currentLeader.leaderEpoch })
    }
  }
}

interface TopicData {
  readonly name: string
  readonly topicId: string
  readonly partitionData: { readonly index: number; readonly records: Uint8Array }[]
}

function topicData(
  batches: readonly ProduceBatch[],
  ids: ReadonlyMap<string, string>,
): TopicData[] {
  const topics = new Map<string, { index: number; records: Uint8Array }[]>()
  for (const batch of batches) {
    const partition = { index: batch.partition, records: batch.sealedBytes }
    const list = topics.get(batch.topic)
    if (list === undefined) topics.set(batch.topic, [partition])
    else list.push(partition)
  }
  return [...topics].map(([name, partitionData]) => ({
    name,
    topicId: ids.get(name) ?? ZERO_UUID,
    partitionData,
  }))
}

function outcomeOf(batch: ProduceBatch, answer: PartitionAnswer | undefined): Outcome {
  const where = `${batch.topic}-${batch.partition}`
  if (answer === undefined) {
    const message = `${where}: left out of the answer`
    return { kind: 'retry', uncertain: true, refreshLeader: true, message }
  }
  const verdict = verdictOf(answer.errorCode)
  const error = errorName(answer.errorCode)
  const message = `${where}: ${error}${answer.errorMessage === null ? '' : `: ${answer.errorMessage}`}`
  switch (verdict.kind) {
    case 'written': {
      const { baseOffset, logAppendTimeMs } = answer
      return {
        kind: 'written',
        baseOffset: answer.errorCode === 0 ? baseOffset : -1,
        logAppendTimeMs,
      }
    }
    case 'retry':
      return { ...verdict, message }
    case 'sequence':
      return { kind: 'sequence', message }
    case 'fail':
      return { kind: 'fail', uncertain: verdict.uncertain, message, error }
  }
}
