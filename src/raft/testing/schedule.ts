// Random schedules of a group: a seed decides the number of voters, which faults there are and how often, and each step.
// First anything may happen; then everything is healed, and the group must come to agree (liveness).

import { assert } from '../../base/assert.ts'
import { asOffset } from '../../base/brand.ts'
import { comparePositions } from '../../base/position.ts'
import { Cluster, type TestNode, type Variant } from './cluster.ts'
import type { TestBatch } from './disk-model.ts'
import { Violation } from './invariants.ts'

/** Mulberry32: small, and good enough to spread schedules. Uniform in [0, 1). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export interface ScheduleOptions {
  readonly seed: number
  readonly steps: number
  readonly variant?: Variant
  readonly traced?: boolean
}

/** Throws Violation, or AssertionError from the core. Returns what happened. */
export function runSchedule(options: ScheduleOptions): Cluster {
  const run = new Schedule(options)
  for (let i = 0; i < options.steps; i++) run.step()
  run.heal()
  return run.cluster
}

/** What may happen next, and how often: its weight among all. Of the faults each schedule has some. */
const ACTIONS = [
  ['deliver', 50, 'usual'],
  ['sync', 25, 'usual'],
  ['pump', 20, 'usual'],
  ['append', 8, 'usual'],
  ['time', 2, 'usual'],
  ['heartbeat', 6, 'usual'],
  ['tell', 6, 'usual'],
  ['connect', 4, 'usual'],
  ['start', 4, 'usual'],
  ['cut', 1, 'fault'],
  ['partition', 0.5, 'fault'],
  ['crash', 1, 'fault'],
  ['damage', 0.3, 'fault'],
  ['distrust', 0.3, 'fault'],
  ['transfer', 0.5, 'fault'],
  ['log-start', 0.5, 'fault'],
  ['compact', 0.5, 'fault'],
  ['fill', 0.5, 'fault'],
  ['fitness', 0.3, 'fault'],
] as const

export type ActionName = (typeof ACTIONS)[number][0]

/** Factors on the weights of some actions. */
export type Focus = { readonly [K in ActionName]?: number }

/** False: there was nothing to do. */
type Action = () => boolean

class Schedule {
  readonly cluster: Cluster
  readonly #random: () => number
  readonly #actions: { readonly weight: number; readonly act: Action }[]
  readonly #total: number
  /** Whom a message reached last. */
  #active: TestNode | undefined

  constructor({ seed, variant, traced = false }: ScheduleOptions) {
    this.#random = randomOf(seed)
    const voters = variant?.voters ?? (this.#chance(0.65) ? 3 : 5)
    this.cluster = new Cluster({
      voters,
      random: this.#random,
      traced,
      ...(variant === undefined ? {} : { variant }),
    })
    this.#actions = this.#chosenActions(variant?.focus ?? {})
    this.#total = this.#actions.reduce((sum, { weight }) => sum + weight, 0)
    if (this.#chance(0.8)) this.cluster.connectAll()
  }

  step(): void {
    // Without a leader there is little to see.
    if (this.#chance(0.1) && this.cluster.leaders().length === 0 && this.#passTime()) return
    for (let tries = 0; tries < 10; tries++) if (this.#chosen()()) return
  }

  #chosen(): Action {
    let at = this.#random() * this.#total
    for (const { weight, act } of this.#actions) {
      at -= weight
      if (at < 0) return act
    }
    return () => false
  }

  #chance(probability: number): boolean {
    return this.#random() < probability
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count)
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[this.#below(items.length)]
  }

  #node(): TestNode {
    return this.#pick(this.cluster.nodes)!
  }

  #pair(): [number, number] {
    const a = this.#below(this.cluster.nodes.length)
    const b = (a + 1 + this.#below(this.cluster.nodes.length - 1)) % this.cluster.nodes.length
    return [a + 1, b + 1]
  }

  /** Faults are there or not, each by itself; the rest goes on at its own rate. */
  #chosenActions(focus: Focus): { weight: number; act: Action }[] {
    const acts = this.#acts()
    return ACTIONS.map(([name, weight, kind]) => {
      const there = kind === 'usual' || focus[name] !== undefined || this.#chance(0.6)
      const rate = weight * 4 ** (2 * this.#random() - 1) * (focus[name] ?? 1)
      return { weight: there ? rate : 0, act: acts[name] }
    })
  }

  #acts(): { readonly [K in ActionName]: Action } {
    const reorder = this.#chance(0.5)
    const twice = this.#chance(0.5) ? 0.1 * this.#random() : 0
    return {
      deliver: () => this.#deliver(reorder, twice),
      sync: () => this.#sync(),
      pump: () => this.#pump(),
      append: () => this.#append(),
      time: () => this.#passTime(),
      heartbeat: () => this.cluster.heartbeat(...this.#pair()),
      tell: () => this.#tell(),
      connect: () => this.#connect(),
      start: () => this.#start(),
      cut: () => this.#cut(),
      partition: () => this.#partition(),
      crash: () => this.#crash(),
      damage: () => this.#damage(),
      distrust: () => this.#distrust(),
      transfer: () => this.#transfer(),
      'log-start': () => this.#advanceLogStart(),
      compact: () => this.#compact(),
      fill: () => this.#fill(),
      fitness: () => this.#fitness(this.#node(), this.#chance(0.5)),
    }
  }

  #deliver(reorder: boolean, twice: number): boolean {
    const { inFlight } = this.cluster.network
    const envelope = inFlight[reorder ? this.#below(inFlight.length) : 0]
    if (envelope === undefined) return false
    this.cluster.deliver(envelope, { again: this.#chance(twice) })
    this.#active = this.cluster.node(envelope.to)
    return true
  }

  #sync(): boolean {
    const node = this.#pick(this.cluster.nodes.filter(({ disk }) => disk.pending.length > 0))
    if (node === undefined) return false
    this.cluster.sync(node.id, 1 + this.#below(4))
    return true
  }

  #tell(): boolean {
    const { nodes, network } = this.cluster
    const [first, second] = this.#pair()
    for (let i = 0; i < nodes.length; i++) {
      const a = nodes[(first + i) % nodes.length]!
      const b = nodes[(second + i) % nodes.length]!
      if (a.core === undefined || network.news(a.id, b.id) === undefined) continue
      this.cluster.tell(a.id, b.id)
      return true
    }
    return false
  }

  #pump(): boolean {
    const node = this.#pick(this.cluster.leaders().filter(({ wantsPump }) => wantsPump))
    if (node === undefined) return false
    this.cluster.pump(node.id, { messages: 1 + this.#below(3), batches: 1 + this.#below(4) })
    return true
  }

  #append(): boolean {
    const leader = this.#pick(this.cluster.leaders())
    if (leader?.core?.acceptsAppends !== true) return false
    this.cluster.append(leader.id, 1 + this.#below(2))
    return true
  }

  #passTime(): boolean {
    const due = this.cluster.nodes.filter(({ core }) => (core?.deadlineMs ?? Infinity) < Infinity)
    due.sort((a, b) => a.raft.deadlineMs - b.raft.deadlineMs)
    // Now and then several at once: their elections meet.
    const at = this.#chance(0.5) ? 0 : this.#below(due.length)
    const from = this.#chance(0.3) ? 0 : at
    for (const { id } of due.slice(from, at + 1)) this.cluster.tick(id)
    return due.length > 0
  }

  #connect(): boolean {
    const [a, b] = this.#pair().map((id) => this.cluster.node(id)) as [TestNode, TestNode]
    const { network } = this.cluster
    if (a.core === undefined || b.core === undefined || network.connected(a.id, b.id)) return false
    network.connect(a.id, b.id)
    return true
  }

  #cut(): boolean {
    const [a, b] = this.#pair().map((id) => this.cluster.node(id)) as [TestNode, TestNode]
    const { network } = this.cluster
    if (!network.connected(a.id, b.id)) return false
    network.cut(a.id, b.id, () => this.#chance(0.5))
    return true
  }

  /** Some on this side, some on that. */
  #partition(): boolean {
    const { nodes, network } = this.cluster
    const here = new Set(nodes.filter(() => this.#chance(0.5)))
    for (const a of here) {
      for (const b of nodes) {
        if (!here.has(b)) network.cut(a.id, b.id, () => this.#chance(0.5))
      }
    }
    return here.size > 0
  }

  /** Rather whoever did something just now, or leads. */
  #crash(): boolean {
    const picked = this.#random()
    let node = this.#node()
    if (picked < 0.5) node = this.#active ?? node
    else if (picked < 0.7) node = this.#pick(this.cluster.leaders()) ?? node
    if (node.core === undefined) return false
    this.cluster.crash(node.id, { kept: this.#below(node.disk.pending.length + 1) })
    if (this.#chance(0.5)) this.#comeBack(node)
    return true
  }

  #comeBack(node: TestNode): void {
    this.cluster.start(node.id)
    for (const { id } of this.cluster.nodes) {
      if (id !== node.id && this.#chance(0.5)) this.cluster.connect(node.id, id)
    }
  }

  #start(): boolean {
    const node = this.#node()
    if (node.core !== undefined) return false
    this.#comeBack(node)
    return true
  }

  /** Of a minority only, at any time: beyond that a group can't be saved. */
  #damage(): boolean {
    const node = this.#node()
    if (!this.#canSpare(node)) return false
    if (node.core !== undefined) this.cluster.crash(node.id)
    this.cluster.damage(node.id)
    this.#comeBack(node)
    return true
  }

  /** The same while it runs. What it said before arrives before what it says then, as on one connection. */
  #distrust(): boolean {
    const node = this.#node()
    if (node.core === undefined || node.core.role === 'leader' || !this.#canSpare(node))
      return false
    for (const envelope of this.cluster.inFlight({ from: node.id })) this.cluster.deliver(envelope)
    this.cluster.distrust(node.id)
    return true
  }

  #canSpare(node: TestNode): boolean {
    const { nodes } = this.cluster
    const suspects = nodes.filter(
      ({ accepted, durable }) => accepted.hardState.suspect || durable.hardState.suspect,
    )
    return suspects.includes(node) || suspects.length + 1 <= (nodes.length - 1) / 2
  }

  #transfer(): boolean {
    const leader = this.#pick(this.cluster.leaders())
    if (leader === undefined) return false
    const { nowMs } = this.cluster
    const both = this.#chance(0.3)
    this.cluster.step(leader, { kind: 'transfer', to: this.#node().id, nowMs })
    if (both) this.cluster.step(leader, { kind: 'transfer', to: this.#node().id, nowMs })
    return true
  }

  #advanceLogStart(): boolean {
    const leader = this.#pick(this.cluster.leaders())
    if (leader === undefined) return false
    const { commit, logStart } = leader.raft
    const offset = asOffset(logStart + this.#below(commit.offset - logStart + 1))
    const border = leader.accepted.batches.some(({ baseOffset }) => baseOffset === offset)
    if (offset <= logStart || (!border && offset !== leader.accepted.end.offset)) return false
    this.cluster.step(leader, { kind: 'advance-log-start', offset })
    return true
  }

  /** What is outlived below the commit goes, and tombstones that have nothing left to end. */
  #compact(): boolean {
    const node = this.#node()
    if (node.core === undefined) return false
    const { commit } = node.core
    const committed = node.durable.batches.filter(({ nextOffset }) => nextOffset <= commit.offset)
    // What comes after the last of them may be cut off: then that is the last batch of its epoch.
    const mayGo = committed.slice(0, -1).filter(({ key, baseOffset, tombstone }) => {
      const others = committed.filter((batch) => batch.key === key)
      if (others.at(-1)!.baseOffset > baseOffset) return true
      return tombstone && others.length === 1
    })
    const batch = this.#pick(mayGo)
    if (batch === undefined) return false
    this.cluster.compact(node.id, batch.baseOffset)
    return true
  }

  #fill(): boolean {
    this.#node().full = this.#chance(0.4)
    return true
  }

  #fitness(node: TestNode, fit: boolean): boolean {
    if (node.core !== undefined) this.cluster.step(node, { kind: 'fitness', fit })
    return node.core !== undefined
  }

  // Healing

  heal(): void {
    const { cluster } = this
    cluster.note('— everything is healed —')
    for (const node of cluster.nodes) {
      node.full = false
      if (node.core === undefined) cluster.start(node.id)
      else this.#fitness(node, true)
    }
    cluster.connectAll()
    for (let rounds = 0; rounds < 60; rounds++) {
      cluster.settle()
      cluster.heartbeats()
      cluster.settle()
      if (this.#agreed()) {
        this.#nothingLost()
        this.#nothingComesBack()
        return
      }
      this.#passTime()
    }
    throw new Violation(`no agreement: ${cluster.nodes.map(describe).join('; ')}`)
  }

  #agreed(): boolean {
    const [leader, second] = this.cluster.leaders()
    if (leader === undefined || second !== undefined) return false
    const { term, end, commit, logStart, established } = leader.raft
    if (!established || comparePositions(commit, end) !== 0) return false
    return this.cluster.nodes.every(({ raft, durable }) => {
      return (
        raft.term === term &&
        raft.leader === leader.id &&
        !raft.suspect &&
        raft.logStart === logStart &&
        comparePositions(raft.end, end) === 0 &&
        comparePositions(raft.commit, end) === 0 &&
        comparePositions(durable.end, end) === 0
      )
    })
  }

  /** Law R10: of each key the newest batch is what counts. None that was deleted comes back. */
  #nothingComesBack(): void {
    const { nodes, invariants } = this.cluster
    const newest = new Map<number, TestBatch>()
    for (const batch of invariants.committed.values()) {
      if (batch.baseOffset >= (newest.get(batch.key)?.baseOffset ?? 0)) newest.set(batch.key, batch)
    }
    for (const { id, accepted } of nodes) {
      for (const [key, { value, tombstone, baseOffset }] of newest) {
        const found = accepted.batches.findLast((batch) => batch.key === key)
        if (found?.value === value || (found === undefined && tombstone)) continue
        if (baseOffset < accepted.logStart) continue
        throw new Violation(
          `${id} has ${found?.value} of key ${key}, which ${value} ${tombstone ? 'ended' : 'replaced'}`,
        )
      }
    }
  }

  #nothingLost(): void {
    const { nodes, invariants, compacted } = this.cluster
    const { logStart, end } = nodes[0]!.raft
    assert(comparePositions(end, invariants.commit) >= 0, 'the end is below what was committed')
    for (const { id, accepted } of nodes) {
      for (const { baseOffset, value } of accepted.batches) {
        const committed = invariants.committed.get(baseOffset)
        if (committed?.value !== value) throw new Violation(`${id} has ${value} at ${baseOffset}`)
      }
    }
    for (const [offset, { value, nextOffset }] of invariants.committed) {
      if (nextOffset <= logStart || compacted.has(offset)) continue
      for (const { id, accepted } of nodes) {
        const held = accepted.batches.some((batch) => batch.baseOffset === offset)
        if (!held) throw new Violation(`${id} lost ${value} at ${offset}`)
      }
    }
  }
}

function describe({ id, raft }: TestNode): string {
  const { role, term, leader, end, commit, logStart, deadlineMs, suspect } = raft
  const at = `end (${end.epoch}, ${end.offset}), commit (${commit.epoch}, ${commit.offset})`
  const followers = [...raft.followers].map(
    ([node, { state, match, next }]) =>
      `${node}:${state} (${match.epoch}, ${match.offset}) (${next.epoch}, ${next.offset})`,
  )
  return (
    `${id} ${role} ${term} of ${leader ?? 'nobody'}, ${at}, start ${logStart}, due ${deadlineMs}` +
    `${suspect ? ', suspect' : ''} ${followers.join(' ')}`
  )
}
