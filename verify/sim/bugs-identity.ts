// Planted errors of damage and of identity: a replica that does not care that its bytes are damaged, a directory or a replica that
// passes for what it is not, a message of an epoch that is over.

import { METADATA_LOG_ID } from '../../src/controller/metadata-image.ts'
import { Formation } from '../../src/multiraft/formation.ts'
import { MultiRaft } from '../../src/multiraft/multiraft.ts'
import { Raft } from '../../src/raft/raft.ts'
import { Log } from '../../src/storage/log.ts'
import { withDisk } from './bugs-disk.ts'
import type { Bug } from './bugs.ts'
import { replace, replaceGetter } from './replace.ts'

const decoder = new TextDecoder()
const encoder = new TextEncoder()

export const IDENTITY_BUGS: readonly Bug[] = [
  {
    name: 'damage-ignored',
    what: 'R5: a replica that has found its bytes damaged goes on as if they were not, and is not healed',
    nodes: 3,
    needs: {
      faults: ['kill-all', 'rolling-restart'],
      damages: Array<'bit-flip'>(6).fill('bit-flip'),
    },
    plant: () => replaceGetter(Log.prototype, 'damage', () => undefined),
  },
  {
    name: 'directory-id-of-the-node',
    what: 'R6: the id of a directory is made of the node’s, so that an emptied one passes for what it was',
    nodes: 3,
    needs: { damages: ['wipe'] },
    wrap: () => (env, nodeId) => {
      let formatting = false
      const { disk, random } = env
      const makeDirectory = (path: string): Promise<void> => {
        // The id is drawn after it, and nothing else before.
        formatting ||= path.endsWith('/journal')
        return disk.makeDirectory(path)
      }
      const bytes = (count: number): Uint8Array => {
        const drawn = random.bytes(count)
        if (!formatting) return drawn
        formatting = false
        return drawn.fill(nodeId)
      }
      const float = (): number => random.float()
      const below = (bound: number): number => random.below(bound)
      return { ...withDisk(env, { makeDirectory }), random: { float, below, bytes } }
    },
  },
  {
    name: 'second-cluster',
    what: 'R6: an emptied node takes those that formed a cluster without its directory for empty, and forms another one',
    nodes: 3,
    // The one that would form it.
    needs: { damages: ['wipe'], victim: 1 },
    plant: () => {
      const nodes = new WeakMap<Formation, MultiRaft>()
      const known = replace(MultiRaft.prototype, 'setFormation', (self, original, [formation]) => {
        nodes.set(formation, self)
        original(formation)
      })
      const told = replace(Formation.prototype, 'receive', (self, original, [from, body]) => {
        const node = nodes.get(self)
        const status = JSON.parse(decoder.decode(body)) as {
          readonly formed: { readonly voters: readonly (readonly [number, string])[] } | null
        }
        const mine = status.formed?.voters.find(([nodeId]) => nodeId === node?.nodeId)
        const named = mine === undefined || mine[1] === node?.store.directoryId
        original(from, named ? body : encoder.encode(JSON.stringify({ ...status, formed: null })))
      })
      return () => {
        known()
        told()
      }
    },
  },
  {
    name: 'replica-made-again',
    what: 'R7: one replica in 4 is made anew at a start, and votes although it was there before',
    nodes: 3,
    needs: { faults: ['kill-all', 'cascade', 'rolling-restart'] },
    plant: (chance) =>
      replace(MultiRaft.prototype, 'open', (self, original, args) => {
        const [{ id }] = args
        const again = id !== METADATA_LOG_ID && self.store.get(id) !== undefined
        if (again && chance.below(4) === 0) self.store.drop(id)
        return original(...args)
      }),
  },
  {
    name: 'past-epoch-obeyed',
    what: 'R7: followers take what a leader sends although its epoch is over',
    nodes: 3,
    needs: { faults: ['depose-leader'] },
    plant: () =>
      replace(Raft.prototype, 'step', (self, original, [event]) => {
        const past = event.kind === 'message' && event.message.term < self.term
        if (!past || event.message.kind !== 'append' || self.role !== 'follower') {
          return original(event)
        }
        return original({ ...event, message: { ...event.message, term: self.term } })
      }),
  },
]
