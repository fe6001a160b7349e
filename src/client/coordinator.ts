// Finds the coordinator of a group and keeps the connection to it.

import { findCoordinator } from '../protocol/messages/find-coordinator.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { KafkaError, RequestError, throwIfError } from './client-error.ts'
import type { Cluster, Lane } from './cluster.ts'
import type { BrokerConnection } from './connection.ts'
import { retrying, type RetryLimits } from './retrying.ts'

const GROUP = 0
/** Since it, several keys are asked for at once. */
const BATCHED_SINCE = 4

export class Coordinator {
  readonly #cluster: Cluster
  readonly #groupId: string
  readonly #lane: Lane
  #address: { host: string; port: number } | undefined

  /** `lane`: of the caller's own, where its requests wait long. */
  constructor(cluster: Cluster, groupId: string, lane: Lane = 'main') {
    this.#cluster = cluster
    this.#groupId = groupId
    this.#lane = lane
  }

  /** Throws KafkaError (transient while the group has no coordinator), RequestError. */
  async connection(): Promise<BrokerConnection> {
    this.#address ??= await this.#find()
    return this.#cluster.connectionTo(this.#address, this.#lane)
  }

  /** Asks again next time. */
  forget(): void {
    this.#address = undefined
  }

  /** Calls with a connection until it works; another coordinator is looked for where this one is none, or is gone. */
  call<T>(limits: RetryLimits, attempt: (connection: BrokerConnection) => Promise<T>): Promise<T> {
    return retrying(this.#cluster, limits, async () => {
      try {
        return await attempt(await this.connection())
      } catch (error) {
        if (isAboutCoordinator(error)) this.forget()
        throw error
      }
    })
  }

  async #find(): Promise<{ host: string; port: number }> {
    const connection = await this.#cluster.anyConnection()
    const answer = await connection.request(findCoordinator, (version) =>
      version < BATCHED_SINCE
        ? { key: this.#groupId, keyType: GROUP }
        : { coordinatorKeys: [this.#groupId], keyType: GROUP },
    )
    const found = answer.coordinators[0] ?? answer
    throwIfError(found.errorCode, `coordinator of group ${this.#groupId}`, found.errorMessage)
    return { host: found.host, port: found.port }
  }
}

function isAboutCoordinator(error: unknown): boolean {
  if (error instanceof RequestError) return true
  if (!(error instanceof KafkaError)) return false
  return (
    error.code === ErrorCode.NOT_COORDINATOR || error.code === ErrorCode.COORDINATOR_NOT_AVAILABLE
  )
}
