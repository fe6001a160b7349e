// The options of a cluster as people write them: `1@127.0.0.1:9192,2@127.0.0.1:9193`.

import type { Peer } from '../server/cluster-options.ts'
import { usage } from './failure.ts'
import type { Gathered, Given } from './options-gather.ts'
import { parseAddress } from './options-listeners.ts'
import type { StartCluster } from './options-start.ts'

/** Undefined where no peers are named. Fails (exit code 2) where parts of it are given that go with peers. */
export function parseCluster(nodeId: number, gathered: Gathered): StartCluster | undefined {
  const given = (key: string): Given | undefined => {
    const found = gathered.get(key)
    return found === undefined || found.text.trim() === '' ? undefined : found
  }
  const peersGiven = given('peers')
  const raftGiven = given('raft')
  const secretFile = given('cluster.secret.file')
  if (peersGiven === undefined) {
    const needless = raftGiven ?? secretFile
    if (needless === undefined) return undefined
    throw usage(
      `${needless.place}: is for a cluster, and no peers are given; list all nodes, --peers ${nodeId}@host:port,…`,
    )
  }
  const peers = parsePeers(peersGiven)
  const raft =
    raftGiven === undefined
      ? peers.find((peer) => peer.nodeId === nodeId)
      : parseAddress(raftGiven.text, raftGiven.place)
  if (raft === undefined) {
    throw usage(
      `${peersGiven.place}: this node has id ${nodeId}, which is not in the list; ` +
        `add it as ${nodeId}@host:port, or give one of the listed ids with --node-id`,
    )
  }
  const { host, port } = raft
  return { raft: { host, port }, peers, secretFile: secretFile?.text }
}

export function parsePeers({ text, place }: Given): Peer[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .map((part) => {
      const match = /^(\d{1,10})@(.+)$/.exec(part)
      if (match === null) {
        throw usage(
          `${place}: "${part}" names no node; write each as id@host:port, with commas between`,
        )
      }
      return { nodeId: Number(match[1]), ...parseAddress(match[2] ?? '', place) }
    })
}
