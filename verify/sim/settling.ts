// After the healing every group must come to rest with one leader and all its replicas alike: the same epochs, the same commit, and
// below it the same bytes.

import { crc32c } from '../../src/base/crc32c.ts'
import { comparePositions } from '../../src/base/position.ts'
import type { ObservedGroup } from '../../src/multiraft/observer.ts'
import { StoreError } from '../../src/storage/store.ts'
import { checkKept } from './compacting.ts'
import type { Invariants } from './invariants.ts'
import type { SimNode } from './node.ts'
import type { World } from './world.ts'

/** Virtual time in which all replicas must have caught up once nobody writes any more. */
const SETTLE_MS_MAX = 15_000
const READ_MS_MAX = 30_000
const HEAL_MS_MAX = 15_000
const READ_BYTES_MAX = 1 << 20

interface Replica {
  readonly node: number
  readonly group: ObservedGroup
}

export interface Replicas {
  readonly world: World
  readonly nodes: readonly SimNode[]
  readonly invariants: Invariants
}

/** Waits until all replicas are alike, or reports those that are not. */
export async function requireSettled(all: Replicas): Promise<void> {
  const { simulation } = all.world
  let nextMs = 0
  let unlike: string[] = []
  const until = (): boolean => {
    if (simulation.nowMs < nextMs) return false
    nextMs = simulation.nowMs + 20
    unlike = [...restless(all)]
    return unlike.length === 0
  }
  const end = await simulation.run({ until, untilMs: simulation.nowMs + SETTLE_MS_MAX })
  all.world.settled = true
  if (end === 'until') return
  for (const text of unlike) {
    const what = `${text}, ${SETTLE_MS_MAX} ms after the last client`
    all.world.report({ name: 'not-settled', where: 'the cluster', text: what })
  }
}

function* restless({ nodes, invariants }: Replicas): Iterable<string> {
  for (const node of nodes) if (!node.isUp && !node.wiped) yield `node ${node.id} is not up`
  const wiped = new Set(nodes.filter((node) => node.wiped).map(({ id }) => id))
  for (const { id, replicas } of groups({ nodes, invariants })) {
    const text = unrest(replicas, wiped)
    if (text !== undefined) yield `${id}: ${text}`
  }
}

function groups({ nodes, invariants }: Pick<Replicas, 'nodes' | 'invariants'>) {
  return invariants.replicas((id, start) => nodes[id - 1]?.runs(start) === true)
}

function unrest(replicas: readonly Replica[], wiped: ReadonlySet<number>): string | undefined {
  const [first] = replicas
  if (first === undefined) return undefined
  const voters = first.group.voters.filter(({ nodeId }) => !wiped.has(nodeId))
  if (replicas.length !== voters.length)
    return `${replicas.length} of ${voters.length} replicas are open`
  const leading = replicas.filter(({ group }) => group.raft.established)
  if (leading.length !== 1) return `${leading.length} replicas lead`
  for (const { node, group } of replicas) {
    const { commit, end } = group.raft
    if (comparePositions(commit, end) === 0 && comparePositions(end, first.group.raft.end) === 0)
      continue
    const [at, other] = [commit, end].map(({ epoch, offset }) => `(${epoch}, ${offset})`)
    return `node ${node} has the commit ${at} and the end ${other}, node ${first.node} ends at ${first.group.raft.end.offset}`
  }
  return undefined
}

/** Reads each replica's log below the commit and reports those that differ. */
export async function compareBytes({ world, nodes, invariants }: Replicas): Promise<void> {
  for (const { id, replicas } of [...groups({ nodes, invariants })]) {
    if (replicas.length < 2) continue
    if (id === world.compactedLog) {
      // Each replica compacts its own copy, when it likes.
      for (const { node, group } of replicas) {
        const check = healed(world, () => checkKept(world, node, group))
        await world.simulation.settle(check, { withinMs: READ_MS_MAX })
      }
      continue
    }
    const from = Math.max(...replicas.map(({ group }) => group.stored.logStart))
    const below = Math.min(...replicas.map(({ group }) => group.raft.commit.offset))
    const read = Promise.all(
      replicas.map(({ group }) => healed(world, () => digest(group, from, below))),
    )
    const digests = await world.simulation.settle(read, { withinMs: READ_MS_MAX })
    if (new Set(digests).size <= 1) continue
    const text = replicas.map(({ node }, i) => `node ${node}: ${digests[i]}`).join('; ')
    const where = `${id}, from ${from} to ${below}`
    world.report({ name: 'replicas-differ', where, text })
  }
}

/** A replica that finds its bytes damaged has them healed by the others, in a while. */
async function healed<T>(world: World, read: () => Promise<T>): Promise<T> {
  const untilMs = world.simulation.nowMs + HEAL_MS_MAX
  for (;;) {
    try {
      return await read()
    } catch (error) {
      const damaged = error instanceof StoreError && error.code === 'corrupt'
      if (!damaged || world.simulation.nowMs > untilMs) throw error
      await new Promise<void>((resolve) => world.simulation.after(100, resolve))
    }
  }
}

async function digest({ stored }: ObservedGroup, from: number, below: number): Promise<string> {
  let crc = 0
  let bytes = 0
  for (let at = from as typeof stored.logStart; at < below;) {
    const read = await stored.read({
      from: at,
      below: below as typeof at,
      maxBytes: READ_BYTES_MAX,
    })
    for (const chunk of read.chunks) crc = crc32c(chunk, crc)
    bytes += read.bytes
    if (read.next <= at) return `${bytes} bytes with CRC ${crc}, and then nothing at ${at}`
    at = read.next
  }
  return `${bytes} bytes with CRC ${crc}`
}
