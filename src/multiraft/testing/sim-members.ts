// Test support: nodes of a simulated cluster with the real storage and one Raft group, without anything above.

import { assert } from '../../base/assert.ts'
import { asLogId, asNodeId, asOffset, type Offset } from '../../base/brand.ts'
import type { Position } from '../../base/position.ts'
import type { SimHost } from '../../env/sim/sim-host.ts'
import type { Simulation } from '../../env/sim/simulation.ts'
import { buildBatch } from '../../records/build.ts'
import { dataRecordsIn } from '../../records/read.ts'
import { openStore } from '../../storage/open-store.ts'
import type { Store } from '../../storage/store.ts'
import type { GroupListener } from '../group-listener.ts'
import type { RaftGroup } from '../group.ts'
import { MultiRaft } from '../multiraft.ts'
import { DEFAULT_TIMING } from '../options.ts'
import { hostName, RAFT_PORT, SECRET } from '../transport/testing/sim-node.ts'

export const GROUP = asLogId('group-0')
const CONFIG = { segmentBytes: 4096, segmentMs: 1e9, indexIntervalBytes: 256 }

/** Nobody follows the group. */
export const SILENT_LISTENER: GroupListener = {
  onAppended: () => {},
  onTruncated: () => {},
  onAcknowledged: () => {},
  beforeLogStart: () => undefined,
  onLogStart: () => {},
  snapshotWanted: () => false,
  onSnapshot: () => {},
  onRole: () => {},
  onCommitted: () => {},
}

export class SimMember {
  readonly nodeId: number
  readonly host: SimHost
  readonly commits: Position[] = []
  alive = false
  readonly #simulation: Simulation
  readonly #ids: readonly number[]
  node: MultiRaft | undefined
  store: Store | undefined
  group: RaftGroup | undefined

  constructor(simulation: Simulation, nodeId: number, ids: readonly number[]) {
    this.#simulation = simulation
    this.nodeId = nodeId
    this.#ids = ids
    this.host = simulation.host(hostName(nodeId))
  }

  /** A new process; `voters` once the directory ids of all are known. */
  async start(directories: ReadonlyMap<number, string> | undefined): Promise<void> {
    const env = this.host.boot()
    this.alive = true
    const { store, node } = await this.#simulation.settle(
      (async () => {
        const opened = await openStore(env, { directory: '/data', journalFirstFileBytes: 1 << 18 })
        const multi = await MultiRaft.open({
          env,
          nodeId: asNodeId(this.nodeId),
          store: opened,
          timing: DEFAULT_TIMING,
          cluster: {
            listen: { host: this.host.name, port: RAFT_PORT },
            peers: this.#ids
              .filter((id) => id !== this.nodeId)
              .map((id) => ({ nodeId: asNodeId(id), host: hostName(id), port: RAFT_PORT })),
            secret: SECRET,
          },
        })
        return { store: opened, node: multi }
      })(),
    )
    this.store = store
    this.node = node
    this.group = undefined
    this.commits.length = 0
    if (directories !== undefined) await this.open(directories)
  }

  async open(directories: ReadonlyMap<number, string>): Promise<void> {
    const voters = this.#ids.map((id) => ({
      nodeId: asNodeId(id),
      directoryId: directories.get(id) ?? '',
    }))
    assert(this.node !== undefined, 'the node runs')
    this.group = await this.#simulation.settle(
      this.node.open(
        { id: GROUP, directory: 'group-0', config: CONFIG, descriptor: { voters } },
        () => ({
          ...SILENT_LISTENER,
          onCommitted: (commit) => this.commits.push(commit),
        }),
      ),
    )
  }

  get raft(): RaftGroup['raft'] {
    assert(this.group !== undefined, 'the group is open')
    return this.group.raft
  }

  get leads(): boolean {
    return this.alive && this.group !== undefined && this.raft.established
  }

  kill(): void {
    this.alive = false
    this.host.kill()
  }

  powerCut(): void {
    this.alive = false
    this.host.powerCut()
  }

  append(text: string, bytes = 200): Offset {
    assert(this.group !== undefined, 'the group is open')
    const value = Buffer.from(text.padEnd(bytes, '.'))
    const result = this.group.append(buildBatch([{ key: null, value, timestampMs: 1 }]), undefined)
    assert(result.kind === 'accepted', `${result.kind}`)
    return result.end.offset
  }

  /** What the log holds from its start to the commit. */
  async committed(): Promise<string[]> {
    assert(this.group !== undefined, 'the group is open')
    const { stored } = this.group
    const below = this.raft.commit.offset
    const texts: string[] = []
    let from = stored.logStart
    while (from < below) {
      const { chunks, next } = await this.#simulation.settle(
        Promise.resolve(stored.read({ from, below, maxBytes: 1 << 20 })),
      )
      for (const record of dataRecordsIn(Buffer.concat(chunks))) {
        texts.push(new TextDecoder().decode(record.value ?? new Uint8Array()).replaceAll('.', ''))
      }
      from = asOffset(next)
    }
    return texts
  }
}

export class SimGroup {
  readonly members: readonly SimMember[]
  readonly #simulation: Simulation
  #directories = new Map<number, string>()

  constructor(simulation: Simulation, count: number) {
    this.#simulation = simulation
    const ids = Array.from({ length: count }, (_, i) => i + 1)
    this.members = ids.map((id) => new SimMember(simulation, id, ids))
  }

  async start(): Promise<void> {
    for (const member of this.members) await member.start(undefined)
    this.#directories = new Map(
      this.members.map(({ nodeId, store }) => [nodeId, store?.directoryId ?? '']),
    )
    for (const member of this.members) await member.open(this.#directories)
  }

  restart(member: SimMember): Promise<void> {
    return member.start(this.#directories)
  }

  async until(what: string, condition: () => boolean, withinMs = 10_000): Promise<void> {
    await this.#simulation.run({ until: condition, untilMs: this.#simulation.nowMs + withinMs })
    assert(condition(), `${what}, within ${withinMs} ms`)
  }

  async leader(): Promise<SimMember> {
    await this.until('a leader', () => this.members.some(({ leads }) => leads))
    return this.members
      .filter(({ leads }) => leads)
      .reduce((a, b) => (a.raft.term > b.raft.term ? a : b))
  }

  /** Appends and waits for the commit, on whoever leads. */
  async commit(text: string, bytes?: number): Promise<void> {
    const leader = await this.leader()
    const end = leader.append(text, bytes)
    await this.until(`the commit of ${text}`, () => leader.raft.commit.offset >= end)
  }

  async allHold(texts: readonly string[]): Promise<void> {
    const end = Math.max(...this.members.map(({ raft }) => raft.end.offset))
    await this.until('all caught up', () =>
      this.members.every(({ raft }) => raft.commit.offset === end && raft.end.offset === end),
    )
    for (const member of this.members) {
      const held = await member.committed()
      assert(held.join() === texts.join(), `node ${member.nodeId} holds ${held.join()}`)
    }
  }
}

/** Writes the first sealed segments anew, as they are, and says that tombstones went: what compaction would have done. */
export async function removeTombstones(
  simulation: Simulation,
  { group }: SimMember,
  segments: number,
): Promise<Offset> {
  assert(group !== undefined, 'the group is open')
  const { stored } = group
  const rewritten = stored.segments().slice(0, segments)
  const range = { from: rewritten[0]!.baseOffset, to: rewritten.at(-1)!.endOffset }
  const done = (async () => {
    const rewriter = await stored.rewriteSegments(range)
    assert(rewriter !== undefined, `${range.from} to ${range.to} can't be rewritten`)
    for (let { from } = range; from < range.to;) {
      const { chunks, next } = await stored.read({ from, below: range.to, maxBytes: 1 << 20 })
      await rewriter.write(Buffer.concat(chunks))
      from = next
    }
    assert(await rewriter.commit({ tombstonesRemovedBelow: range.to }), 'the segments changed')
  })()
  await simulation.settle(done)
  return range.to
}
