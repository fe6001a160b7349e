// Which nodes form a cluster with this one, and what a list of them must look like. The list is the same on every node
// (law R6): a cluster forms only when all of them are empty and agree on it.

import { hostPort, isLoopback, isWildcard } from '../base/hosts.ts'

export interface RaftAddress {
  readonly host: string
  readonly port: number
}

export interface Peer extends RaftAddress {
  readonly nodeId: number
}

export interface ClusterOptions {
  /** Where this node listens for its peers. */
  readonly raft: RaftAddress
  /** Every node of the cluster, this one too, under the address where the others reach it. */
  readonly peers: readonly Peer[]
  /** Shared by all nodes; a peer that does not prove that it knows it is refused. Needed unless all is loopback. */
  readonly secret?: string
}

/** As many nodes as vote on the cluster's metadata. */
export const PEERS_MAX = 7
export const SECRET_LENGTH_MIN = 16

/** What is wrong with the options of a cluster and what to do about it; undefined where nothing is. */
export function clusterProblem(nodeId: number, cluster: ClusterOptions): string | undefined {
  return listProblem(cluster.peers) ?? ownProblem(nodeId, cluster) ?? secretProblem(cluster)
}

function listProblem(peers: readonly Peer[]): string | undefined {
  if (peers.length === 0 || peers.length > PEERS_MAX) {
    return `peers: a cluster has 1 to ${PEERS_MAX} nodes, and this list has ${peers.length}`
  }
  const addressOf = new Map<number, string>()
  const idAt = new Map<string, number>()
  for (const { nodeId, host, port } of peers) {
    const address = hostPort({ host: host.toLowerCase(), port })
    const before = addressOf.get(nodeId)
    const other = idAt.get(address)
    if (before !== undefined) {
      return `peers: node ${nodeId} is listed twice, at ${before} and ${address}; each node has an id of its own`
    }
    if (other !== undefined) {
      return `peers: nodes ${other} and ${nodeId} have the same address ${address}; each node has its own`
    }
    if (!Number.isInteger(nodeId) || nodeId < 0 || nodeId > 2 ** 31 - 1) {
      return `peers: ${nodeId} is no node id; give an integer from 0 to 2147483647`
    }
    if (isWildcard(host)) {
      return `peers: nobody can connect to ${address}; give the address where the others reach node ${nodeId}`
    }
    if (port < 1 || port > 65_535) {
      return `peers: node ${nodeId} has port ${port}; peers must know a port from 1 to 65535`
    }
    addressOf.set(nodeId, address)
    idAt.set(address, nodeId)
  }
  const local = peers.find(({ host }) => isLoopback(host))
  const remote = peers.find(({ host }) => !isLoopback(host))
  if (local !== undefined && remote !== undefined) {
    return (
      `peers: node ${remote.nodeId} at ${hostPort(remote)} can't reach node ${local.nodeId} at ${hostPort(local)}, ` +
      'which is an address for one machine alone; give all nodes addresses that every node can reach'
    )
  }
  return undefined
}

function ownProblem(nodeId: number, { raft, peers }: ClusterOptions): string | undefined {
  const own = peers.find((peer) => peer.nodeId === nodeId)
  if (own === undefined) {
    return (
      `peers: this node has id ${nodeId}, which is not in the list ${peersText(peers)}; ` +
      `add it as ${nodeId}@host:port, or give one of the listed ids`
    )
  }
  if (own.port !== raft.port) {
    return `peers: the others are told that node ${nodeId} is at ${hostPort(own)}, but its Raft port is ${raft.port}; make them the same`
  }
  if (isLoopback(raft.host) && !isLoopback(own.host)) {
    return (
      `peers: the others are told that node ${nodeId} is at ${hostPort(own)}, but it listens on ${hostPort(raft)}, ` +
      `for this machine alone; listen on ${hostPort(own)} or 0.0.0.0:${own.port}`
    )
  }
  return undefined
}

function secretProblem({ raft, peers, secret }: ClusterOptions): string | undefined {
  const open = [raft, ...peers].find(({ host }) => !isLoopback(host))
  if (secret === undefined) {
    if (open === undefined) return undefined
    return (
      `peers: ${hostPort(open)} can be reached from other machines, so nodes must prove that they belong together; ` +
      'give all of them the same secret (--cluster-secret-file)'
    )
  }
  if (secret.length >= SECRET_LENGTH_MIN) return undefined
  return (
    `the cluster secret has ${secret.length} characters and needs at least ${SECRET_LENGTH_MIN}; ` +
    'make one with: head -c 32 /dev/urandom | base64'
  )
}

/** What works, but probably is not meant. */
export function clusterWarnings({ peers }: ClusterOptions): string[] {
  const count = peers.length
  if (count % 2 === 1) return []
  return [
    `${count} nodes survive the loss of ${count / 2 - 1}, as ${count - 1} do; one more node would survive the loss of ${count / 2}`,
  ]
}

/** As `--peers` takes them. */
export function peersText(peers: readonly Peer[]): string {
  return peers.map((peer) => `${peer.nodeId}@${hostPort(peer)}`).join(',')
}
