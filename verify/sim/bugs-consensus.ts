// Planted errors inside the nodes of a cluster: a method of one of the product's classes is replaced, for all nodes alike. At
// least one for each law that holds between nodes, for each invariant, in the frames between nodes and in the coordinator.

import { asLeaderEpoch, asOffset } from '../../src/base/brand.ts'
import { EpochTable } from '../../src/base/epoch-table.ts'
import { comparePositions } from '../../src/base/position.ts'
import { CommittedOffsets } from '../../src/groups/committed-offsets.ts'
import { RaftGroup } from '../../src/multiraft/group.ts'
import { FrameReader } from '../../src/multiraft/transport/frames.ts'
import { Durability } from '../../src/raft/durability.ts'
import { Elections } from '../../src/raft/elections.ts'
import { Raft } from '../../src/raft/raft.ts'
import { Replica } from '../../src/raft/replica.ts'
import { RaftLog } from '../../src/replicated/raft-log.ts'
import { Log } from '../../src/storage/log.ts'
import { withDisk, withFile, withFiles } from './bugs-disk.ts'
import type { Bug } from './bugs.ts'
import { replace, replaceGetter } from './replace.ts'

export const CONSENSUS_BUGS: readonly Bug[] = [
  {
    name: 'truncation-by-offset',
    what: 'R1: a truncation takes the epoch starts that lie at its offset too',
    nodes: 3,
    needs: { faults: ['depose-leader', 'cascade'] },
    plant: () =>
      replace(EpochTable.prototype, 'truncate', (self, original, [to]) => {
        original(to)
        while (self.entries.length > 1 && (self.entries.at(-1)?.start ?? 0) >= to.offset) {
          original({ epoch: asLeaderEpoch(self.last - 1), offset: to.offset })
        }
      }),
  },
  {
    name: 'acknowledged-unsynced',
    what: 'R2: what was verified is acknowledged before it is durable, and the leader counts itself so',
    nodes: 3,
    needs: { faults: ['cut-all', 'kill-all-then-cut'], syncSlowness: 60 },
    plant: () =>
      replace(
        Durability.prototype,
        'acknowledgeable',
        (_self, _original, [, verified]) => verified,
      ),
  },
  {
    name: 'vote-not-kept',
    what: 'R2: a vote is told before it is durable, and never becomes it',
    nodes: 3,
    needs: { faults: ['kill-in-election', 'cascade', 'kill-all'] },
    plant: () => {
      const told = replace(Durability.prototype, 'hasVoted', (self, _original, [term]) =>
        self.hasTerm(term),
      )
      const kept = replace(Log.prototype, 'saveHardState', (_self, original, [state]) =>
        original({ ...state, votedFor: undefined }),
      )
      return () => {
        told()
        kept()
      }
    },
  },
  {
    name: 'vote-for-anyone',
    what: 'R2: votes go to whoever asks, however old its log is',
    nodes: 3,
    plant: () => {
      const newest = { epoch: asLeaderEpoch(2 ** 30), offset: asOffset(0) }
      const answered = replace(Elections.prototype, 'answerVote', (_self, original, args) => {
        const [from, message, hasLeader] = args
        return original(from, { ...message, end: newest }, hasLeader)
      })
      const before = replace(Elections.prototype, 'answerPreVote', (_self, original, args) => {
        const [from, message, hasLeader] = args
        original(from, { ...message, end: newest }, hasLeader)
      })
      return () => {
        answered()
        before()
      }
    },
  },
  {
    name: 'recovery-not-synced',
    what: 'R4: a start syncs nothing of what it relies on',
    wrap: () => (env) => {
      let recovering = true
      const { disk, network } = env
      const listen: typeof network.listen = (address, onConnection) => {
        recovering = false
        return network.listen(address, onConnection)
      }
      const lazy = withFiles(env, (file) =>
        withFile(file, { sync: () => (recovering ? Promise.resolve() : file.sync()) }),
      )
      const syncDirectory = (path: string): Promise<void> =>
        recovering ? Promise.resolve() : disk.syncDirectory(path)
      const connect: typeof network.connect = (address, options) =>
        network.connect(address, options)
      return { ...withDisk(lazy, { syncDirectory }), network: { listen, connect } }
    },
  },
  {
    name: 'death-unnoticed',
    what: 'R8: replicas do not hear that the node of their leader is gone, nor that it leads no longer',
    nodes: 3,
    plant: () => {
      const gone = replace(RaftGroup.prototype, 'claimGone', () => {})
      const down = replace(RaftGroup.prototype, 'peerDown', () => {})
      return () => {
        gone()
        down()
      }
    },
  },
  {
    name: 'barrier-without-round',
    what: 'R9: whoever believes to lead answers reads, without asking the others',
    nodes: 3,
    needs: { faults: ['depose-leader', 'pause-leader'] },
    plant: () =>
      replace(RaftGroup.prototype, 'confirm', (self) =>
        Promise.resolve(self.raft.role === 'leader'),
      ),
  },
  {
    name: 'commit-by-log-end',
    what: 'R9: a follower takes all that it holds for committed',
    nodes: 3,
    plant: () =>
      replace(Replica.prototype, 'setCommit', (self, original, [to]) =>
        original(comparePositions(to, self.log.end) < 0 ? self.log.end : to),
      ),
  },
  {
    name: 'answered-before-commit',
    what: 'R9: a write is acknowledged once the leader has it',
    nodes: 3,
    plant: () =>
      replace(RaftLog.prototype, 'whenCommitted', () => Promise.resolve({ kind: 'committed' })),
  },
  {
    name: 'served-to-the-end',
    what: 'R9: a leader serves what is not committed yet',
    nodes: 3,
    plant: () => replaceGetter(RaftLog.prototype, 'highWatermark', (self) => self.logEnd.offset),
  },
  {
    name: 'trim-on-leader-alone',
    what: 'R10: deleted records are gone on the leader, and the others never hear of it',
    nodes: 3,
    plant: () => {
      const answered = replace(
        RaftGroup.prototype,
        'advanceLogStart',
        (_self, original, [offset]) => {
          void original(offset)
          return Promise.resolve(true)
        },
      )
      const told = replaceGetter(Raft.prototype, 'appendFields', (_self, original) => ({
        ...original(),
        logStart: asOffset(0),
      }))
      return () => {
        answered()
        told()
      }
    },
  },
  {
    name: 'commit-moves-back',
    what: 'one time in 300 the commit is an older one',
    nodes: 3,
    plant: (chance) =>
      replaceGetter(Raft.prototype, 'commit', (_self, original) => {
        const commit = original()
        if (commit.offset < 2 || chance.below(300) > 0) return commit
        return { ...commit, offset: asOffset(commit.offset - 2) }
      }),
  },
  {
    name: 'frame-bit-flipped',
    what: 'the frame codec between nodes: one frame in 300 has a wrong bit after its checksum was found right',
    nodes: 3,
    plant: (chance) =>
      replace(FrameReader.prototype, 'push', (_self, original, [chunk]) =>
        original(chunk).map((payload) => {
          if (payload.length < 100 || chance.below(300) > 0) return payload
          const copy = payload.slice()
          const at = chance.below(copy.length)
          copy[at] = (copy[at] ?? 0) ^ 8
          return copy
        }),
      ),
  },
  {
    name: 'offsets-on-one-node',
    what: 'the group coordinator: one committed offset in 8 is not applied on some of the nodes',
    nodes: 3,
    plant: (chance) =>
      replace(CommittedOffsets.prototype, 'apply', (_self, original, [record]) => {
        if (chance.below(8) > 0) original(record)
      }),
  },
]
