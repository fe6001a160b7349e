// Random faults, seed by seed: what a receiver gets in a session is a gapless beginning of what the sender sent in one,
// and once the faults are over everybody is connected and stays so.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asNodeId } from '../../base/brand.ts'
import { Simulation } from '../../env/sim/simulation.ts'
import { allUp, hostName, SimNode, startCluster } from './testing/sim-node.ts'
import type { Lane, TransportOptions } from './transport.ts'

const NODES = [1, 2, 3]
const LANES = ['control', 'data'] as const

/** Counts the frames of each session, at both ends. */
class Ledger {
  /** `from>to lane`: the sender's session and its next number. */
  readonly #sent = new Map<string, { session: number; next: number }>()
  readonly #expected = new Map<string, { session: number; next: number }>()
  #sessions = 0
  delivered = 0

  handlersOf(node: SimNode): TransportOptions['handlers'] {
    return {
      onPeerUp: (peer) => {
        this.#sessions += 1
        for (const lane of LANES) {
          const sent = { session: this.#sessions, next: 0 }
          this.#sent.set(`${node.nodeId}>${peer.nodeId} ${lane}`, sent)
          this.#expected.delete(`${peer.nodeId}>${node.nodeId} ${lane}`)
        }
      },
      onPeerDown: () => {},
      onDrain: () => {},
      onFrame: (from, lane, frame) => {
        const key = `${from.nodeId}>${node.nodeId} ${lane}`
        const view = new DataView(frame.buffer, frame.byteOffset)
        const got = { session: view.getUint32(0), next: view.getUint32(4) }
        const expected = this.#expected.get(key) ?? { session: got.session, next: 0 }
        assert.deepEqual(got, expected, key)
        this.#expected.set(key, { session: got.session, next: got.next + 1 })
        this.delivered += 1
      },
    }
  }

  send(node: SimNode, to: number, lane: Lane, bytes: number): void {
    const entry = this.#sent.get(`${node.nodeId}>${to} ${lane}`)
    if (entry === undefined || !node.isUp(to)) return
    const frame = new Uint8Array(8 + bytes)
    const view = new DataView(frame.buffer)
    view.setUint32(0, entry.session)
    view.setUint32(4, entry.next)
    if (node.transport.send(asNodeId(to), lane, [frame])) entry.next += 1
  }
}

async function start(node: SimNode, ledger: Ledger): Promise<void> {
  const handlers = ledger.handlersOf(node)
  await node.start({ handlers })
}

async function misfortune(
  simulation: Simulation,
  nodes: readonly SimNode[],
  ledger: Ledger,
): Promise<void> {
  const { chance, network } = simulation
  const node = chance.pick(nodes)
  const other = chance.pick(nodes.filter((peer) => peer !== node))
  const [near, far] = [hostName(node.nodeId), hostName(other.nodeId)]
  switch (chance.below(6)) {
    case 0:
      if (node.host.alive) node.host.kill()
      break
    case 1:
      if (node.host.alive) node.host.powerCut()
      break
    case 2:
      network.block(near, far)
      break
    case 3:
      network.reset(near, far, chance.pick([0.3, 1]))
      break
    case 4:
      network.setLink(near, far, { latencyMs: chance.pick([5, 80]), bytesPerMs: 5_000 })
      break
    default:
      network.heal()
  }
  for (const down of nodes) {
    if (!down.host.alive && chance.chance(0.5)) await start(down, ledger)
  }
}

test('sessions have no gaps under random faults, and all are connected when the faults end', async () => {
  let delivered = 0
  for (let seed = 0; seed < 40; seed++) {
    const simulation = new Simulation(seed)
    const { chance } = simulation
    const ledger = new Ledger()
    const nodes = NODES.map((id) => new SimNode(simulation, id, NODES))
    for (const node of nodes) await start(node, ledger)
    for (let step = 0; step < 60; step++) {
      if (chance.chance(0.3)) await misfortune(simulation, nodes, ledger)
      for (const node of nodes) {
        if (!node.host.alive) continue
        for (const to of NODES) {
          if (to === node.nodeId) continue
          for (const lane of LANES) ledger.send(node, to, lane, chance.pick([0, 20, 3_000]))
        }
      }
      const ms = chance.pick([0.2, 2, 20, 300, 1_500])
      await simulation.run({ untilMs: simulation.nowMs + ms })
    }
    simulation.network.heal()
    for (const node of nodes) if (!node.host.alive) await start(node, ledger)
    const sinceMs = simulation.nowMs
    const end = await simulation.run({ until: () => allUp(nodes), untilMs: sinceMs + 15_000 })
    assert.equal(end, 'until', `seed ${seed}: not connected in 15 s`)
    await simulation.run({ untilMs: sinceMs + 30_000 })
    assert.ok(allUp(nodes), `seed ${seed}: connections did not last`)
    delivered += ledger.delivered
  }
  assert.ok(delivered > 10_000, `${delivered} frames`)
})

test('nodes far apart that start together connect at their first try', async () => {
  for (let seed = 0; seed < 10; seed++) {
    const simulation = new Simulation(seed)
    for (const a of NODES) {
      for (const b of NODES) simulation.network.setLink(hostName(a), hostName(b), { latencyMs: 60 })
    }
    const nodes = await startCluster(simulation, 3)
    assert.ok(simulation.nowMs < 5_000, `${simulation.nowMs} ms`)
    await simulation.run({ untilMs: simulation.nowMs + 30_000 })
    for (const node of nodes) assert.equal(node.heard.length, 2, node.heard.join())
  }
})
