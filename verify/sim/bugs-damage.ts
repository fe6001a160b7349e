// Planted errors of replicas that begin their logs anew: after damage of the journal, and where tombstones are gone.

import { asOffset } from '../../src/base/brand.ts'
import { Durability } from '../../src/raft/durability.ts'
import { Raft } from '../../src/raft/raft.ts'
import { Replica } from '../../src/raft/replica.ts'
import { replace, replaceGetter } from './replace.ts'
import type { Bug } from './bugs.ts'

export const DAMAGE_BUGS: readonly Bug[] = [
  {
    name: 'suspect-takes-part',
    what: 'R5: a replica whose journal was damaged begins anew, and votes and acknowledges as if nothing had been lost',
    nodes: 3,
    needs: { faults: ['kill-leader', 'cascade'], damages: ['journal-damage'] },
    plant: () => {
      const whole = replaceGetter(Replica.prototype, 'suspect', () => false)
      const said = replace(Durability.prototype, 'acknowledgement', (_self, original, args) => {
        const acknowledged = original(...args)
        return acknowledged === undefined ? undefined : { ...acknowledged, suspect: false }
      })
      return () => {
        whole()
        said()
      }
    },
  },
  {
    name: 'across-removed-tombstones',
    what: 'R10: a follower goes on where it ends, although its leader has no tombstones there any more',
    nodes: 3,
    needs: { faults: ['long-down', 'long-down', 'partition'] },
    plant: () =>
      replace(Raft.prototype, 'nextFor', (_self, original, [node]) => original(node, asOffset(0))),
  },
]
