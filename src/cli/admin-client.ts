// The commands' talk with a cluster over HTTP: any node answers, so where one does not, the next is asked.

import type { Command } from 'commander'
import type { AdminErrorCode } from '../admin/cluster-admin.ts'
import { CLUSTER_PATH } from '../admin/cluster-api.ts'
import type { ClusterStatus, PartitionPage, PartitionRow } from '../admin/cluster-status.ts'
import { hostPort } from '../base/hosts.ts'
import { NetError } from '../env/network.ts'
import type { HttpAnswer, HttpCall } from '../env/node/http-client.ts'
import { positive } from './cluster-access.ts'
import type { DataWorld } from './data-world.ts'
import { Failure } from './failure.ts'
import { type Address, parseAddress } from './options-listeners.ts'

/** Where a development cluster of three answers. */
const DEFAULT_HTTP = '127.0.0.1:6092,127.0.0.1:6093,127.0.0.1:6094'
export const HTTP_ENVIRONMENT = 'CHRONIK_CLUSTER_HTTP'
const TIMEOUT_DEFAULT_S = 10
/** Status is answered from memory. */
const HASTY_MS = 2000

export type CallHttp = (address: Address, call: HttpCall) => Promise<HttpAnswer>

export interface AdminWorld extends Pick<DataWorld, 'environment' | 'env' | 'output' | 'say'> {
  readonly callHttp: CallHttp
}

export interface AdminAccess {
  readonly http?: string
  /** Seconds, as text. */
  readonly timeout?: string
}

export function withAdminAccess(command: Command): Command {
  return command
    .option(
      '--http <host:port>',
      `where nodes of the cluster answer HTTP, several with commas (default: $${HTTP_ENVIRONMENT} or ${DEFAULT_HTTP})`,
    )
    .option('--timeout <seconds>', `wait so long for an answer (default: ${TIMEOUT_DEFAULT_S})`)
}

interface ErrorBody {
  readonly code: AdminErrorCode | 'NOT_READY' | 'FORBIDDEN' | 'INTERNAL'
  readonly message: string
  /** The node to ask instead. */
  readonly node?: number
}

/** What one address said, or why it said nothing. */
type Outcome =
  | { readonly kind: 'answer'; readonly value: unknown }
  | { readonly kind: 'error'; readonly error: ErrorBody }
  | { readonly kind: 'silent'; readonly error: NetError }

export class AdminClient {
  readonly #world: AdminWorld
  readonly #timeoutMs: number
  #addresses: readonly Address[]

  constructor(world: AdminWorld, { http, timeout }: AdminAccess) {
    const given = http ?? world.environment[HTTP_ENVIRONMENT]
    const place = http === undefined ? HTTP_ENVIRONMENT : '--http'
    this.#world = world
    this.#timeoutMs = positive(timeout ?? `${TIMEOUT_DEFAULT_S}`, '--timeout') * 1000
    this.#addresses = (given ?? DEFAULT_HTTP)
      .split(',')
      .map((part) => parseAddress(part.trim(), place))
  }

  status(): Promise<ClusterStatus> {
    return this.#ask<ClusterStatus>('GET', '')
  }

  async *partitions(topic: string | undefined): AsyncGenerator<PartitionRow> {
    const filter = topic === undefined ? '' : `&topic=${encodeURIComponent(topic)}`
    let after = ''
    for (;;) {
      const path = `?partitions=true${filter}${after}`
      const { page } = await this.#ask<{ readonly page: PartitionPage }>('GET', path)
      yield* page.partitions
      if (page.next === null) return
      after = `&after=${encodeURIComponent(page.next)}`
    }
  }

  /** Also asks the node that an answer names as the one that can do it. */
  async change<T>(verb: 'transfer-leader' | 'drain', body: unknown): Promise<T> {
    // Finds one that answers, so that a change is not sent to one that does not and may carry it out later.
    if (this.#addresses.length > 1) await this.status()
    return this.#ask<T>('POST', `/${verb}`, body)
  }

  /** Fails with Failure. An address that answers is asked first from then on. */
  async #ask<T>(method: HttpCall['method'], path: string, body?: unknown): Promise<T> {
    const left = [...this.#addresses]
    const errors = new Map<string, Error | ErrorBody>()
    for (let address = left.shift(); address !== undefined; address = left.shift()) {
      if (errors.has(hostPort(address))) continue
      const hasty = method === 'GET' && left.length > 0
      const outcome = await this.#askOne(address, { method, path, body, hasty })
      if (outcome.kind === 'answer') {
        const first = address
        this.#addresses = [first, ...this.#addresses.filter((other) => other !== first)]
        return outcome.value as T
      }
      if (outcome.kind === 'error' && !asksElsewhere(outcome.error)) {
        throw new Failure(outcome.error.message)
      }
      errors.set(hostPort(address), outcome.error)
      const node = outcome.kind === 'error' ? outcome.error.node : undefined
      const other = node === undefined ? undefined : await this.#addressOf(address, node)
      if (other !== undefined) left.unshift(other)
    }
    throw new Failure(nobodyDid(errors))
  }

  async #askOne(
    address: Address,
    asked: {
      readonly method: HttpCall['method']
      readonly path: string
      readonly body?: unknown
      /** There are others to ask. */
      readonly hasty?: boolean
    },
  ): Promise<Outcome> {
    const { method, path, body, hasty = false } = asked
    try {
      const answer = await this.#world.callHttp(address, {
        method,
        path: `${CLUSTER_PATH}${path}`,
        timeoutMs: hasty ? Math.min(HASTY_MS, this.#timeoutMs) : this.#timeoutMs,
        ...(body === undefined ? {} : { body }),
      })
      return outcomeOf(answer, address)
    } catch (error) {
      if (!(error instanceof NetError)) throw error
      return { kind: 'silent', error }
    }
  }

  /** Where a node answers HTTP, as the one at `through` knows; undefined where it does not. */
  async #addressOf(through: Address, nodeId: number): Promise<Address | undefined> {
    const outcome = await this.#askOne(through, { method: 'GET', path: '' })
    if (outcome.kind !== 'answer') return undefined
    const { nodes } = outcome.value as ClusterStatus
    const http = nodes.find((node) => node.nodeId === nodeId)?.http ?? null
    return http === null ? undefined : parseAddress(http, `node ${nodeId}`)
  }
}

/** Another node may know, or be able to do, what this one does not. */
function asksElsewhere({ code }: ErrorBody): boolean {
  return ['NOT_LEADER', 'NO_LEADER', 'NOT_READY', 'INTERNAL'].includes(code)
}

function outcomeOf({ status, body }: HttpAnswer, address: Address): Outcome {
  const value = parsed(body)
  if (typeof value !== 'object' || value === null) throw stranger(address)
  if (status === 200) return { kind: 'answer', value }
  const { error } = value as { readonly error?: Partial<ErrorBody> }
  if (error?.code === undefined || error.message === undefined) throw stranger(address)
  return { kind: 'error', error: { ...error, code: error.code, message: error.message } }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function stranger(address: Address): Failure {
  return new Failure(
    `${hostPort(address)} did not answer as a Chronik node does; give its HTTP address with --http host:port`,
  )
}

function nobodyDid(errors: ReadonlyMap<string, Error | ErrorBody>): string {
  const nothingThere = [...errors.values()].every(
    (error) => error instanceof NetError && error.code === 'ECONNREFUSED',
  )
  if (!nothingThere) {
    return [...errors].map(([address, { message }]) => `${address}: ${message}`).join('; ')
  }
  const where = [...errors.keys()].join(', ')
  return `nothing answers HTTP at ${where}; say where a node does with --http host:port, or start one with "chronik start"`
}
