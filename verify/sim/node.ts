// A simulated node: the product's own composition root on simulated ports, started again whenever it has died, and the
// ways in which it can be made to die.

import type { Env } from '../../src/env/env.ts'
import type { Prng } from '../../src/env/sim/prng.ts'
import type { SimHost } from '../../src/env/sim/sim-host.ts'
import type { Simulation } from '../../src/env/sim/simulation.ts'
import { Chronik } from '../../src/server/chronik.ts'
import type { ClusterOptions } from '../../src/server/cluster-options.ts'
import type { ChronikOptions } from '../../src/server/options.ts'
import type { Invariants } from './invariants.ts'
import { damageSimJournal } from './journal-damage.ts'
import type { Plan } from './plan.ts'
import { textOf, type Problem } from './problems.ts'

export const NODE_PORT = 9092
const RAFT_PORT = 9192
const SECRET = 'known to all simulated nodes'
const DATA_DIR = '/var/chronik'
const WATCH_MS = 20

/** Small bounds, and times that fit into a seed. */
const CONFIG: Readonly<Record<string, string>> = {
  'offsets.topic.num.partitions': '2',
  'group.initial.rebalance.delay.ms': '50',
  'group.min.session.timeout.ms': '500',
  'log.retention.check.interval.ms': '1000',
  // The node's clock jumps; what the clients' clocks say must not be refused for that.
  'log.message.timestamp.after.max.ms': '86400000',
}

/** What stands between the product and its ports: where errors are planted. */
export type EnvWrap = (env: Env, nodeId: number) => Env

export const nodeHost = (id: number): string => `node-${id}`

export interface SimNodeOptions {
  readonly id: number
  readonly simulation: Simulation
  readonly plan: Plan
  readonly wrap: EnvWrap
  readonly invariants: Invariants
  readonly report: (problem: Problem) => void
}

export class SimNode {
  readonly id: number
  readonly host: SimHost
  readonly #simulation: Simulation
  readonly #plan: Plan
  readonly #wrap: EnvWrap
  readonly #report: (problem: Problem) => void
  readonly #invariants: Invariants
  #chronik: Chronik | undefined
  #restartAtMs: number | undefined = 0
  /** While there is one, the disk may make the node fail by itself. */
  readonly diskFaults = new Set<symbol>()
  #fatalsSeen = 0
  starts = 0
  /** Its data is gone, and it must be refused from then on. */
  wiped = false

  constructor({ id, simulation, plan, wrap, invariants, report }: SimNodeOptions) {
    this.id = id
    this.#simulation = simulation
    this.#plan = plan
    this.#wrap = wrap
    this.#invariants = invariants
    this.#report = report
    this.host = simulation.host(nodeHost(id))
    this.host.faults.syncSlowness = plan.syncSlowness[id - 1] ?? 1
  }

  get isUp(): boolean {
    return this.#chronik !== undefined && this.host.alive && !this.host.paused
  }

  /** Starts it, and watches from then on that it runs. */
  watch(): void {
    this.#noteFatals()
    if (!this.host.alive) {
      this.#chronik = undefined
      this.#restartAtMs ??= this.#simulation.nowMs + this.#simulation.chance.between(1, 500)
      if (this.#simulation.nowMs >= this.#restartAtMs) this.boot()
    }
    this.#simulation.after(WATCH_MS, () => this.watch())
  }

  /** Begins a process now, if none runs. */
  boot(): void {
    if (this.host.alive) return
    this.#restartAtMs = undefined
    this.#chronik = undefined
    this.starts += 1
    const env = this.host.boot()
    const start = this.starts
    const options: ChronikOptions = {
      nodeId: this.id,
      dataDir: DATA_DIR,
      listeners: [{ name: 'PLAINTEXT', host: this.host.name, port: NODE_PORT }],
      ...(this.#plan.nodes > 1 ? { cluster: this.#cluster() } : {}),
      config: this.#config(),
      storage: this.#plan.storage,
      observer: this.#invariants.observer(this.id, start),
      env: this.#wrap(env, this.id),
    }
    Chronik.start(options).then(
      (chronik) => {
        if (start === this.starts) this.#chronik = chronik
        if (!this.wiped) return
        const text = 'it serves, although its directory was emptied'
        this.#report({ name: 'node-with-amnesia', where: this.host.name, text })
      },
      (error: unknown) => this.#startFailed(start, error),
    )
  }

  #cluster(): ClusterOptions {
    const ids = Array.from({ length: this.#plan.nodes }, (_, i) => i + 1)
    const peers = ids.map((nodeId) => ({ nodeId, host: nodeHost(nodeId), port: RAFT_PORT }))
    return { raft: { host: this.host.name, port: RAFT_PORT }, peers, secret: SECRET }
  }

  #config(): Record<string, string> {
    const { nodes, segmentBytes, metadataSnapshotRecords } = this.#plan
    return {
      ...CONFIG,
      'log.segment.bytes': String(segmentBytes),
      'chronik.metadata.snapshot.records': String(metadataSnapshotRecords),
      'log.cleaner.backoff.ms': String(this.#plan.compactionMs),
      'offsets.topic.replication.factor': String(Math.min(3, nodes)),
    }
  }

  /** SIGKILL; started again after `downMs`, or soon. */
  kill(downMs?: number): void {
    this.host.kill()
    this.#noteDeath(downMs)
  }

  powerCut(downMs?: number): void {
    this.host.powerCut()
    this.#noteDeath(downMs)
  }

  wipe(): void {
    this.host.wipe()
    this.wiped = true
    this.#noteDeath()
  }

  /** Found at the next start. The metadata must be there: a node that has not joined yet has nothing to lose. */
  damageJournal(chance: Prng): void {
    if (this.wiped || !this.isUp) return
    this.host.kill()
    damageSimJournal(this.host, DATA_DIR, chance)
    this.#noteDeath()
  }

  runs(start: number): boolean {
    return start === this.starts && this.host.alive
  }

  /** Kills or cuts at the n-th step of its disk from now on. */
  crashAtStep(steps: number, crash: 'kill' | 'cut', then: () => void = () => {}): void {
    let left = steps
    this.host.onDiskStep = () => {
      left -= 1
      if (left > 0) return
      this.host.onDiskStep = undefined
      if (!this.host.alive) return
      if (crash === 'kill') this.kill()
      else this.powerCut()
      then()
    }
  }

  /** A clean stop, and a start; what goes wrong is told, unless the disk made it. */
  restart(): void {
    const { starts } = this
    this.stop().catch((error: unknown) => this.#startFailed(starts, error, 'stop'))
  }

  /** A clean stop, and a start. */
  async stop(): Promise<void> {
    const chronik = this.#chronik
    if (chronik === undefined) return
    const { starts } = this
    this.#chronik = undefined
    await chronik.stop()
    if (!this.runs(starts)) return
    this.host.kill()
    this.#restartAtMs = this.#simulation.nowMs
  }

  #noteDeath(downMs?: number): void {
    this.#chronik = undefined
    this.#restartAtMs = downMs === undefined ? undefined : this.#simulation.nowMs + downMs
  }

  /** A start may fail where the disk made it fail, and only there. */
  #startFailed(start: number, error: unknown, what = 'start'): void {
    if (start !== this.starts || !this.host.alive) return
    if (this.diskFaults.size === 0 && !this.wiped) {
      this.#report({
        name: 'node-failed',
        where: this.host.name,
        text: `${what} failed: ${textOf(error)}`,
      })
    }
    this.kill(this.wiped ? 2_000 : undefined)
  }

  #noteFatals(): void {
    const fresh = this.host.fatals.slice(this.#fatalsSeen)
    this.#fatalsSeen = this.host.fatals.length
    if (this.diskFaults.size > 0) return
    for (const text of fresh) {
      this.#report({ name: 'node-failed', where: this.host.name, text: `it ended itself: ${text}` })
    }
  }
}
