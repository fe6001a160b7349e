// What the clients of one seed share: the simulation, the history that they write, the problems that they meet, and the
// phase in which the seed is.

import type { Env } from '../../src/env/env.ts'
import type { Prng } from '../../src/env/sim/prng.ts'
import type { Simulation } from '../../src/env/sim/simulation.ts'
import { Cluster } from '../../src/client/cluster.ts'
import { sleep } from '../../src/client/client-env.ts'
import type { Outcome } from '../history/history.ts'
import { Recorder } from '../history/recorder.ts'
import { KafkaError, RequestError } from '../../src/client/client-error.ts'
import type { Written } from './compacting.ts'
import { ContentMaker } from './content.ts'
import { Invariants } from './invariants.ts'
import { nodeHost, NODE_PORT } from './node.ts'
import type { Plan } from './plan.ts'
import { textOf, type Problem } from './problems.ts'
import { Served } from './served.ts'
import { checkWireOrder } from './wire-order.ts'

/** The topic that lasts; others come and go. */
export const TOPIC = 'orders'
export const GROUP = 'workers'
export const PARTITIONS_MAX = 6

/** A client's first retry comes no earlier, so what took less was asked for once. */
const RETRY_MS_MIN = 40
const REQUEST_TIMEOUT_MS = 2_000
const PROBLEMS_MAX = 50

export class World {
  readonly simulation: Simulation
  readonly plan: Plan
  readonly recorder: Recorder
  readonly invariants: Invariants
  readonly served: Served
  readonly content: ContentMaker
  readonly problems: Problem[] = []
  /** Partitions that `TOPIC` surely has. */
  partitions = 0
  /** `healed`: no more faults; everyone must get something done. `draining`: producers end, readers read on. `over`: all end. */
  phase: 'working' | 'healed' | 'draining' | 'over' = 'working'
  /** What was done since the phase began, by process. */
  readonly progress = new Map<string, number>()
  /** All replicas have been seen alike, so that whoever is asked knows everything. */
  settled = false
  /** What the compacted topic must hold. */
  readonly kept = new Map<string, Written>()
  /** Of these keys a deletion failed, which may have taken place all the same. */
  readonly mayBeDeleted = new Set<string>()
  /** Its log, once there is one. */
  compactedLog: string | undefined
  /** The last number that a client which stays with its node has written. */
  lastStayed = 0
  readonly #clients = new Map<string, Client>()

  constructor(simulation: Simulation, plan: Plan) {
    this.simulation = simulation
    this.plan = plan
    const report = (problem: Problem): void => this.report(problem)
    this.invariants = new Invariants(report)
    this.served = new Served(this.invariants, report)
    this.recorder = new Recorder(
      () => simulation.nowMs,
      (body) => this.served.watch(body),
    )
    this.content = new ContentMaker(simulation.chance.split('content'))
  }

  /** The same thing is reported once, however often it happens. */
  report(problem: Problem): void {
    const { name, where, text } = problem
    const known = this.problems.some((p) => p.name === name && p.where === where && p.text === text)
    if (!known && this.problems.length < PROBLEMS_MAX) this.problems.push(problem)
  }

  enter(phase: World['phase']): void {
    this.phase = phase
    this.progress.clear()
    for (const client of this.#clients.values()) {
      if (client.role !== '') this.progress.set(client.role, 0)
    }
  }

  progressed(client: Client): void {
    this.progress.set(client.role, (this.progress.get(client.role) ?? 0) + 1)
  }

  /**
   * Starts a client on a host of its own. `role` outlives a crash; an empty one need not make progress. Where `main` ends with an
   * error, the product let the client down.
   */
  spawn(role: string, main: (client: Client) => Promise<void>, generation = 1): Client {
    const name = generation === 1 ? role : `${role}.${generation}`
    const host = this.simulation.host(role)
    const wire = (text: string): void => this.report({ name: 'wire-order', where: name, text })
    const env = checkWireOrder(host.boot(), wire)
    const chance = this.simulation.chance.split(`client ${name}`)
    const cluster = this.cluster(env, name)
    const restart = (): void => {
      host.kill()
      this.#clients.delete(role)
      this.simulation.after(chance.between(1, 300), () => {
        if (this.phase === 'over') return
        this.spawn(role, main, generation + 1)
      })
    }
    const client: Client = { world: this, role, name, env, cluster, chance, crash: restart }
    this.#clients.set(role, client)
    main(client).then(
      () => this.#clients.delete(role),
      (error: unknown) => {
        this.#clients.delete(role)
        this.report({ name: 'client-failed', where: name, text: textOf(error) })
      },
    )
    return client
  }

  cluster(env: Env, clientId: string): Cluster {
    return new Cluster(env, {
      bootstrap: Array.from({ length: this.plan.nodes }, (_, i) => ({
        host: nodeHost(i + 1),
        port: NODE_PORT,
      })),
      clientId,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      connectTimeoutMs: 500,
    })
  }

  running(): string[] {
    return [...this.#clients.keys()]
  }

  crashClient(role: string): void {
    this.#clients.get(role)?.crash()
  }
}

export interface Client {
  readonly world: World
  readonly role: string
  /** The process in the history: another one after each crash. */
  readonly name: string
  readonly env: Env
  readonly cluster: Cluster
  readonly chance: Prng
  crash(): void
}

export function pause(client: Client, ms: number): Promise<void> {
  return sleep(client.env.timers, ms)
}

export interface Attempt<T> {
  readonly outcome: Outcome
  readonly value: T | undefined
  readonly retried: boolean
  readonly error: unknown
}

/**
 * Calls once and says what came of it. The client library may have tried several times: then an earlier try may have been done
 * although the last one failed, and may still be done later.
 */
export async function attempt<T>(client: Client, call: () => Promise<T>): Promise<Attempt<T>> {
  const { clock } = client.env
  const startedMs = clock.monotonicMs()
  const retried = (): boolean => clock.monotonicMs() - startedMs >= RETRY_MS_MIN
  try {
    const value = await call()
    return { outcome: 'ok', value, retried: retried(), error: undefined }
  } catch (error) {
    const sure = !retried() && isCertainlyNotDone(error)
    const outcome = sure ? 'fail' : 'indeterminate'
    return { outcome, value: undefined, retried: retried(), error }
  }
}

const MAY_BE_DONE: ReadonlySet<string> = new Set([
  'REQUEST_TIMED_OUT',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'UNKNOWN_SERVER_ERROR',
  'KAFKA_STORAGE_ERROR',
  'NETWORK_EXCEPTION',
])

/** The same of what is sent only once: the library's own retries are not in it. */
export async function attemptOnce<T>(client: Client, call: () => Promise<T>): Promise<Attempt<T>> {
  const result = await attempt(client, call)
  if (result.outcome === 'ok') return { ...result, retried: false }
  const outcome = isCertainlyNotDone(result.error) ? 'fail' : 'indeterminate'
  return { ...result, outcome, retried: false }
}

/** Only what the node or the wire may answer is expected at all; anything else is the library's own failure and is thrown on. */
function isCertainlyNotDone(error: unknown): boolean {
  if (error instanceof KafkaError) return !MAY_BE_DONE.has(error.error)
  if (error instanceof RequestError) return !error.mayBeDone
  throw error
}
