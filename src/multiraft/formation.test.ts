// How a cluster comes to be, and how it must not (law R6).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asNodeId, type NodeId } from '../base/brand.ts'
import type { Logger, Timers } from '../env/env.ts'
import { Formation, FormationError, type FormedCluster } from './formation.ts'
import type { NodeIdentity, PeerAddress } from './transport/transport.ts'

const address = (id: number, host = 'localhost'): PeerAddress => ({
  nodeId: asNodeId(id),
  host,
  port: 9192 + id,
})

const addresses = (...ids: readonly number[]): PeerAddress[] => ids.map((id) => address(id))

interface Statement {
  readonly from: NodeIdentity
  readonly to: NodeId
  readonly body: Uint8Array
}

/** One process of one node. What it says waits in `said` until the test delivers it. */
class Founder {
  readonly identity: NodeIdentity
  readonly formation: Formation
  readonly said: Statement[] = []
  readonly warnings: string[] = []
  readonly adopted: FormedCluster[] = []
  /** Durable writes that have not ended; `adopt` waits while `slow`. */
  readonly writing: { end: () => void; fail: (error: Error) => void }[] = []
  slow = false
  outcome: FormedCluster | FormationError | undefined
  #due: (() => void) | undefined

  constructor(
    id: number,
    peers: readonly PeerAddress[],
    {
      directory = `d${id}`,
      formed,
      lost,
    }: { directory?: string; formed?: FormedCluster; lost?: boolean } = {},
  ) {
    const nodeId = asNodeId(id)
    this.identity = { nodeId, directoryId: directory, bootId: `b${id}` }
    const timers: Timers = {
      after: (_ms, callback) => {
        this.#due = callback
        return { cancel: () => (this.#due = undefined) }
      },
      soon: () => assert.fail('nothing is soon'),
    }
    const log: Logger = {
      debug: () => {},
      info: () => {},
      warn: (text: string, fields?: object) =>
        void this.warnings.push(`${text} ${JSON.stringify(fields)}`),
      error: () => {},
      child: () => log,
    }
    this.formation = new Formation({
      timers,
      log,
      self: { nodeId, directoryId: directory },
      peers,
      formed,
      ...(lost === undefined ? {} : { lost }),
      newClusterId: () => `cluster-of-${id}`,
      send: (to, body) => {
        assert.notEqual(to, nodeId, 'nobody talks to itself')
        return this.said.push({ from: this.identity, to, body }) > 0
      },
      adopt: (cluster) => this.#adopt(cluster),
    })
  }

  async #adopt(cluster: FormedCluster): Promise<void> {
    if (this.slow) {
      await new Promise<void>((end, fail) => this.writing.push({ end, fail }))
    }
    this.adopted.push(cluster)
  }

  start(): this {
    this.formation.run().then(
      (cluster) => (this.outcome = cluster),
      (error: unknown) => {
        assert.ok(error instanceof FormationError)
        this.outcome = error
      },
    )
    return this
  }

  get waits(): boolean {
    return this.#due !== undefined
  }

  tick(): void {
    const due = this.#due
    this.#due = undefined
    due?.()
  }

  get refusal(): string {
    assert.ok(this.outcome instanceof FormationError, `node ${this.identity.nodeId} is not refused`)
    return this.outcome.message
  }
}

/** Whatever was settled has its consequences. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Delivers what was said, until nobody says anything; then the next round. */
async function talk(founders: readonly Founder[], rounds = 2): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (let said = true; said;) {
      await settled()
      const statements = founders.flatMap((founder) => founder.said.splice(0))
      said = statements.length > 0
      for (const statement of statements) deliver(founders, statement)
    }
    for (const founder of founders) founder.tick()
  }
  await settled()
}

function deliver(founders: readonly Founder[], { from, to, body }: Statement): void {
  founders.find(({ identity }) => identity.nodeId === to)?.formation.receive(from, body)
}

const voters = (...ids: readonly number[]): FormedCluster['voters'] =>
  ids.map((id) => ({ nodeId: asNodeId(id), directoryId: `d${id}` }))

const formed = (id: number): FormedCluster => ({
  clusterId: `cluster-of-${id}`,
  voters: voters(1, 2, 3),
})

const three = (): [Founder, Founder, Founder] => {
  const list = addresses(3, 1, 2)
  return [1, 2, 3].map((id) => new Founder(id, list).start()) as [Founder, Founder, Founder]
}

test('all empty, with the same list in whatever order: the lowest id forms the cluster', async () => {
  const lists = [addresses(1, 2, 3), addresses(3, 2, 1), addresses(2, 1, 3)]
  const founders = lists.map((list, i) => new Founder(i + 1, list).start())
  await talk(founders, 1)
  for (const founder of founders) {
    assert.deepEqual(founder.outcome, formed(1))
    assert.deepEqual(founder.adopted, [formed(1)])
    assert.equal(founder.waits, false)
  }
})

test('a node by itself forms its cluster at once', async () => {
  const alone = new Founder(4, addresses(4)).start()
  await settled()
  assert.deepEqual(alone.outcome, { clusterId: 'cluster-of-4', voters: voters(4) })
})

test('as long as one is missing nothing is formed; who is waited for is said, but not at once', async () => {
  const [first, second, third] = three()
  await talk([first, second], 199)
  assert.deepEqual(first.adopted, [])
  assert.deepEqual(first.formation.missing, [third.identity.nodeId])
  assert.deepEqual(first.warnings, [])
  await talk([first, second], 1)
  assert.deepEqual(first.warnings, [
    'the cluster is not formed yet: it needs all its nodes once {"missing":"3"}',
  ])
  await talk([first, second, third])
  assert.deepEqual(first.outcome, formed(1))
  assert.deepEqual(third.outcome, formed(1))
})

test('a node that is not the lowest forms nothing, though all are empty', async () => {
  const [first, second, third] = three()
  await settled()
  for (const statement of [...first.said, ...third.said]) deliver([second], statement)
  await settled()
  assert.deepEqual(second.formation.missing, [])
  assert.deepEqual(second.adopted, [])
})

test('a process that is gone does not count', async () => {
  const [first, second, third] = three()
  await settled()
  for (const statement of second.said) deliver([first], statement)
  first.formation.peerDown(second.identity.nodeId)
  for (const statement of third.said) deliver([first], statement)
  await settled()
  assert.deepEqual(first.adopted, [])
  assert.deepEqual(first.formation.missing, [second.identity.nodeId])
})

test('the directory that counts is that of the process that is there now', async () => {
  const [first, second, third] = three()
  await settled()
  for (const statement of second.said) deliver([first], statement)
  first.formation.peerDown(second.identity.nodeId)
  const again = new Founder(2, addresses(1, 2, 3), { directory: 'new' }).start()
  await talk([first, again, third])
  assert.deepEqual(
    first.adopted[0]?.voters.map(({ directoryId }) => directoryId),
    ['d1', 'new', 'd3'],
  )
  assert.deepEqual(again.outcome, first.outcome)
})

test('lists that differ form nothing, and both are named', async () => {
  for (const list of [addresses(1, 2, 3, 4), [address(1), address(2, 'elsewhere'), address(3)]]) {
    const [first, , third] = three()
    const other = new Founder(2, list).start()
    await talk([first, other, third])
    assert.match(first.refusal, /node 2 was started with the peers .*, this node with .*same list/)
    assert.equal(first.waits, false)
    for (const founder of [first, other, third]) assert.deepEqual(founder.adopted, [])
  }
})

test('what is not durable yet is told to nobody', async () => {
  const [first, second, third] = three()
  first.slow = true
  await talk([first, second, third], 201)
  assert.equal(first.writing.length, 1, 'one cluster, once')
  assert.deepEqual(
    [first, second, third].flatMap(({ warnings }) => warnings),
    [],
    'none is missing',
  )
  assert.equal(first.outcome, undefined)
  assert.deepEqual([...second.adopted, ...third.adopted], [])
  first.writing[0]!.end()
  await talk([first, second, third])
  assert.deepEqual(second.outcome, formed(1))
})

test('the lowest crashes after it made the cluster its own: it tells the others when it is back', async () => {
  const [first, second, third] = three()
  first.slow = true
  await talk([first, second, third])
  // Durable, and nobody heard of it.
  for (const { formation } of [second, third]) formation.peerDown(first.identity.nodeId)
  await talk([second, third])
  assert.deepEqual([...second.adopted, ...third.adopted], [])
  const back = new Founder(1, addresses(1, 2, 3), { formed: formed(1) }).start()
  await talk([back, second, third])
  assert.deepEqual(back.adopted, [])
  for (const founder of [back, second, third]) assert.deepEqual(founder.outcome, formed(1))
})

test('the lowest crashes before that: it begins anew, with another cluster', async () => {
  const [first, second, third] = three()
  first.slow = true
  await talk([first, second, third])
  for (const { formation } of [second, third]) formation.peerDown(first.identity.nodeId)
  const back = new Founder(1, addresses(1, 2, 3)).start()
  await talk([back, second, third])
  for (const founder of [back, second, third]) assert.deepEqual(founder.outcome, formed(1))
})

test('a write that fails forms nothing', async () => {
  const [first, second, third] = three()
  first.slow = true
  await talk([first, second, third])
  first.writing[0]!.fail(new Error('no space'))
  await settled()
  assert.match(first.refusal, /could not be written down: no space/)
  await talk([first, second, third])
  assert.deepEqual([...second.adopted, ...third.adopted], [])
})

test('a node that was emptied is refused: it must not vote with amnesia', async () => {
  const list = addresses(1, 2, 3)
  const old = new Founder(2, list, { formed: formed(1) }).start()
  for (const id of [1, 3]) {
    const emptied = new Founder(id, list, { directory: 'emptied' }).start()
    await talk([old, emptied])
    assert.match(emptied.refusal, /has another data directory \(d[13]\); this one is empty/)
    assert.deepEqual(emptied.adopted, [])
  }
})

test('the lowest, emptied, forms no second cluster once it hears of the first', async () => {
  const list = addresses(1, 2, 3)
  const others = [2, 3].map((id) => new Founder(id, list, { formed: formed(1) }).start())
  const emptied = new Founder(1, list, { directory: 'emptied' }).start()
  await talk([emptied, ...others])
  assert.deepEqual(emptied.adopted, [])
  assert.match(emptied.refusal, /another data directory/)
})

test('an empty node that the cluster names joins it', async () => {
  const list = addresses(1, 2, 3)
  const old = new Founder(1, list, { formed: formed(1) }).start()
  const late = new Founder(3, list).start()
  await talk([old, late])
  assert.deepEqual(late.outcome, formed(1))
  assert.deepEqual(late.adopted, [formed(1)])
})

test('an empty node that the cluster does not name is refused', async () => {
  const old = new Founder(1, addresses(1, 2, 3), { formed: formed(1) }).start()
  const stranger = new Founder(4, addresses(1, 2, 3, 4)).start()
  await talk([old, stranger])
  assert.match(stranger.refusal, /was formed by the nodes 1, 2, 3; node 4 is not one of them/)
})

test('a node of a formed cluster keeps to its list of nodes; their addresses may change', async () => {
  const wrong = new Founder(1, addresses(1, 2), { formed: formed(1) }).start()
  await settled()
  assert.match(wrong.refusal, /has the nodes 1, 2, 3, the list of peers names 1, 2;/)
  const moved = [address(3, 'c'), address(1, 'a'), address(2, 'b')]
  const right = new Founder(1, moved, { formed: formed(1) }).start()
  await settled()
  assert.deepEqual(right.outcome, formed(1))
  const late = new Founder(2, addresses(1, 2)).start()
  await talk([right, late])
  assert.match(late.refusal, /has the nodes 1, 2, 3, the list of peers names 1, 2;/)
})

test('two formed nodes have nothing to tell each other', async () => {
  const list = addresses(1, 2, 3)
  const [first, second] = [1, 2].map((id) => new Founder(id, list, { formed: formed(1) }).start())
  deliver([second!], {
    from: first!.identity,
    to: second!.identity.nodeId,
    body: statement({ formed: { clusterId: 'x', voters: [[1, 'd1']] } }),
  })
  assert.deepEqual(second!.said, [])
  deliver([second!], {
    from: first!.identity,
    to: second!.identity.nodeId,
    body: statement({}),
  })
  assert.equal(second!.said.length, 1)
})

test('who is stopped meanwhile is told so, and says nothing more', async () => {
  const [first, second, third] = three()
  await settled()
  first.formation.close()
  await settled()
  assert.match(first.refusal, /stopped before/)
  assert.equal(first.waits, false)
  for (const statement of [...second.said, ...third.said]) deliver([first], statement)
  await settled()
  assert.deepEqual(first.adopted, [])
})

function statement(changes: Readonly<Record<string, unknown>>): Uint8Array {
  const status = { version: 1, peers: '1@a:1', formed: null, ...changes }
  return new TextEncoder().encode(JSON.stringify(status))
}

const WRONG: Readonly<Record<string, Uint8Array>> = {
  'a later version': statement({ version: 2 }),
  'no version': statement({ version: undefined }),
  'no peers': statement({ peers: 7 }),
  'no object': new TextEncoder().encode('7'),
  'a null': new TextEncoder().encode('null'),
  'no JSON': new TextEncoder().encode('{'),
  'no UTF-8': Uint8Array.of(0x22, 0xff, 0x22),
  'formed without a cluster': statement({ formed: { voters: [[1, 'd1']] } }),
  'formed, but a number': statement({ formed: 7 }),
  'formed by nobody': statement({ formed: { clusterId: 'x', voters: [] } }),
  'formed by a name': statement({ formed: { clusterId: 'x', voters: 'd1' } }),
  'formed by no pairs': statement({ formed: { clusterId: 'x', voters: [7] } }),
  'formed by threes': statement({ formed: { clusterId: 'x', voters: [[1, 'd1', 2]] } }),
  'formed by a fraction': statement({ formed: { clusterId: 'x', voters: [[1.5, 'd1']] } }),
  'formed by what looks like a pair': statement({
    formed: { clusterId: 'x', voters: [{ 0: 1, 1: 'd1', length: 2 }] },
  }),
  'formed by no directory': statement({ formed: { clusterId: 'x', voters: [[1, 1]] } }),
  'far too much': statement({ peers: 'x'.repeat(64 * 1024) }),
}

for (const [what, body] of Object.entries(WRONG)) {
  test(`what is no status is refused: ${what}`, () => {
    const [first, second] = three()
    assert.throws(() => first.formation.receive(second.identity, body))
    assert.deepEqual(first.adopted, [])
    assert.equal(first.formation.missing.length, 2)
  })
}

for (const id of [1, 2]) {
  test(`R5: with node ${id}, which lost what its directory held, no cluster is formed; one that is there takes it back`, async () => {
    const list = addresses(1, 2, 3)
    const nodes = [1, 2, 3].map((each) => new Founder(each, list, { lost: each === id }).start())
    await talk(nodes, 202)
    for (const node of nodes) {
      assert.equal(node.outcome, undefined)
      const warnings = node.warnings.filter((line) => line.includes('journal was damaged'))
      assert.ok(warnings.length > 0)
      for (const line of warnings) assert.ok(line.endsWith(`{"lost":"${id}"}`), line)
    }
    const [lost] = nodes.filter(({ identity }) => identity.nodeId === id)
    const formed = { clusterId: 'old', voters: voters(1, 2, 3) }
    const knows = new Founder(3, list, { formed }).start()
    await talk([lost!, knows])
    assert.deepEqual(lost!.outcome, formed)
  })
}

test('where nothing was lost nothing is said of it', async () => {
  const list = addresses(1, 2)
  const nodes = [new Founder(1, list).start(), new Founder(2, list, { lost: false }).start()]
  await talk(nodes)
  for (const node of nodes) {
    assert.ok(node.outcome !== undefined && !(node.outcome instanceof FormationError))
    assert.deepEqual(node.warnings, [])
  }
})

test('a status that may be lost is none', () => {
  const node = new Founder(1, addresses(1, 2))
  const status = { version: 1, peers: '', formed: null, lost: 'perhaps' }
  const from = { nodeId: asNodeId(2), directoryId: 'd2', bootId: 'b2' }
  assert.throws(() => node.formation.receive(from, Buffer.from(JSON.stringify(status))), /lost/)
})
