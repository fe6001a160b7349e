// Schedules that break a group if a certain rule is left out: run with a sound core they end well, with the broken variant
// in a violation. For what random schedules meet too rarely.

import type { Cluster, TestNode } from './cluster.ts'

/** Ticks and lets everything through until the node leads. */
export function lead(cluster: Cluster, id: number, except: readonly number[] = []): void {
  for (let tries = 0; tries < 10 && cluster.core(id).role !== 'leader'; tries++) {
    cluster.tick(id)
    cluster.settle({ except })
  }
  if (cluster.core(id).role !== 'leader') throw new Error(`${id} is not elected`)
}

/** The node is elected, and nobody hears of it but itself. */
export function leadUnheard(cluster: Cluster, id: number): void {
  for (let tries = 0; tries < 10 && cluster.core(id).role !== 'leader'; tries++) {
    cluster.tick(id)
    for (let i = 0; i < 100 && cluster.core(id).role !== 'leader'; i++) {
      for (const node of cluster.nodes) cluster.sync(node.id)
      const [next] = cluster.network.inFlight
      if (next === undefined) break
      cluster.deliver(next)
    }
  }
  if (cluster.core(id).role !== 'leader') throw new Error(`${id} is not elected`)
  cluster.network.inFlight = []
  cluster.sync(id)
}

/** Node 1 leads epoch 1 and everybody has that epoch's start, committed. */
export function ledByFirst(cluster: Cluster): Cluster {
  cluster.connectAll()
  cluster.elect(1)
  cluster.settle()
  return cluster
}

/** The others notice at once. */
export function crashSeen(cluster: Cluster, id: number): void {
  cluster.crash(id)
  for (const node of cluster.nodes) if (node.id !== id) cluster.tell(node.id, id)
}

export function deliverAll(cluster: Cluster, wanted: Parameters<Cluster['inFlight']>[0]): void {
  for (const envelope of cluster.inFlight(wanted)) cluster.deliver(envelope)
}

/** Law R2, thesis 3.8: two candidates of one term, and a voter that restarts between them. */
export function voterRestarts(cluster: Cluster): void {
  cluster.connectAll()
  cluster.tick(1)
  cluster.tick(2)
  deliverAll(cluster, { kind: 'pre-vote' })
  deliverAll(cluster, { kind: 'pre-vote-reply' })
  cluster.sync(1)
  cluster.sync(2)
  deliverAll(cluster, { from: 1, to: 3, kind: 'vote' })
  cluster.sync(3)
  deliverAll(cluster, { from: 3, to: 1, kind: 'vote-grant' })
  cluster.crash(3)
  cluster.start(3)
  cluster.connect(2, 3)
  deliverAll(cluster, { from: 2, to: 3, kind: 'vote' })
  cluster.sync(3)
  deliverAll(cluster, { from: 3, to: 2 })
}

/** Thesis figure 3.7: what lies on a majority in an old epoch is not committed by that. */
export function figure37(cluster: Cluster): void {
  ledByFirst(cluster)
  for (const away of [3, 4, 5]) for (const id of [1, 2]) cluster.cut(id, away)
  cluster.append(1)
  cluster.settle()
  crashSeen(cluster, 1)
  leadUnheard(cluster, 5)
  crashSeen(cluster, 5)
  cluster.start(1)
  for (const id of [2, 3, 4]) cluster.connect(1, id)
  leadUnheard(cluster, 1)
  // The entry of epoch 1 reaches node 3, the start of epoch 3 does not.
  cluster.sync(1)
  for (let turns = 0; turns < 4; turns++) {
    cluster.pump(1, { messages: 1 })
    for (const envelope of cluster.inFlight({ from: 1 })) {
      const { to, message } = envelope
      const starts = message.kind === 'append' && message.starts.length > 0 && to === 3
      if (to !== 4 && !(starts && cluster.node(3).accepted.end.offset > 0))
        cluster.deliver(envelope)
    }
    cluster.sync(2)
    cluster.sync(3)
    deliverAll(cluster, { to: 1 })
  }
  crashSeen(cluster, 1)
  cluster.isolate(2)
  cluster.network.inFlight = []
  cluster.start(5)
  for (const id of [3, 4]) cluster.connect(5, id)
  lead(cluster, 5, [1, 2])
}

/** Law R2: an acknowledgement said late, and a vote that looks at the durable end alone. */
export function acknowledgedLate(cluster: Cluster): void {
  ledByFirst(cluster)
  cluster.cut(1, 3)
  cluster.append(1)
  cluster.sync(1)
  cluster.cut(1, 2)
  cluster.connect(1, 2)
  for (let turns = 0; turns < 2; turns++) {
    // Node 2 takes the entry, unsynced, and is asked once more.
    cluster.pump(1)
    deliverAll(cluster, { from: 1, to: 2 })
    deliverAll(cluster, { from: 2, to: 1 })
    cluster.cut(1, 2)
    cluster.connect(1, 2)
  }
  cluster.tick(3)
  deliverAll(cluster, { from: 3, to: 2 })
  deliverAll(cluster, { from: 2, to: 3 })
  cluster.sync(3)
  deliverAll(cluster, { from: 3, to: 2 })
  cluster.sync(2)
  deliverAll(cluster, { from: 2, to: 1 })
  deliverAll(cluster, { from: 2, to: 3 })
}

/** Law R5: node 4 forgets a vote that it gave for epoch 2, and is taken for whole while its candidate still asks. */
export function forgottenVote(cluster: Cluster): void {
  ledByFirst(cluster)
  const { nowMs } = cluster
  cluster.step(cluster.node(1), { kind: 'transfer', to: cluster.node(5).id, nowMs })
  deliverAll(cluster, { to: 5, kind: 'timeout-now' })
  cluster.sync(5)
  deliverAll(cluster, { from: 5, to: 4, kind: 'vote' })
  cluster.sync(4)
  deliverAll(cluster, { from: 4, to: 5, kind: 'vote-grant' })
  cluster.crash(4)
  cluster.damage(4)
  cluster.start(4)
  for (const id of [1, 2, 3]) cluster.connect(4, id)
  cluster.settle({ except: [5] })
  cluster.tick(1)
  cluster.cut(1, 3)
  cluster.append(1)
  cluster.settle({ except: [5] })
  deliverAll(cluster, { from: 5, to: 3, kind: 'vote' })
  cluster.sync(3)
  deliverAll(cluster, { from: 3, to: 5 })
}

/** Law R5: node 2 forgets that it was a candidate in epoch 2, is one again, and a request of the first time still travels. */
export function forgottenCandidacy(cluster: Cluster): void {
  ledByFirst(cluster)
  const [first, second, third] = cluster.nodes as [TestNode, TestNode, TestNode]
  const campaign = (): void => {
    const message = { kind: 'timeout-now', term: first.raft.term } as const
    cluster.step(second, { kind: 'message', from: first.id, message, nowMs: cluster.nowMs })
    cluster.sync(2)
  }
  cluster.cut(1, 3)
  cluster.append(1)
  cluster.sync(1)
  cluster.pump(1)
  deliverAll(cluster, { to: 2 })
  campaign()
  const [old] = cluster.inFlight({ from: 2, kind: 'vote' })
  cluster.network.inFlight = []
  crashSeen(cluster, 2)
  cluster.damage(2)
  cluster.start(2)
  cluster.connect(1, 2)
  cluster.connect(1, 3)
  // Whole again, without the batch, which the leader then commits with node 3.
  for (let turns = 0; turns < 8; turns++) {
    cluster.pump(1, { messages: 1, batches: 0 })
    for (const envelope of cluster.network.inFlight.slice()) cluster.deliver(envelope)
    for (const { id } of cluster.nodes) cluster.sync(id)
  }
  if (second.raft.suspect) throw new Error('node 2 is not whole')
  cluster.cut(1, 2)
  cluster.settle({ except: [2] })
  cluster.connect(2, 3)
  campaign()
  deliverAll(cluster, { from: 2, to: 3, kind: 'vote' })
  const { message, from } = old!
  cluster.step(third, { kind: 'message', from, message, nowMs: cluster.nowMs })
  cluster.sync(3)
  deliverAll(cluster, { from: 3, to: 2 })
}
