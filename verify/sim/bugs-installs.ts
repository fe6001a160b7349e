// Planted errors of what an install brings (law R10): a follower that begins anew must know what the records that it does not get
// said of their producers.

import { OutgoingInstalls } from '../../src/multiraft/outgoing-installs.ts'
import { withFile, withFiles } from './bugs-disk.ts'
import type { Bug } from './bugs.ts'
import { replace } from './replace.ts'

const AWAY = [
  'long-down',
  'long-down',
  'kill-leader',
  'rolling-restart',
  'kill-in-catch-up',
] as const

export const INSTALL_BUGS: readonly Bug[] = [
  {
    name: 'install-without-state',
    what: 'R10: a follower that begins at the log start is not told what lay below',
    nodes: 3,
    mode: 'full',
    needs: { faults: AWAY },
    plant: () =>
      replace(OutgoingInstalls.prototype, 'find', () => Promise.resolve({ snapshot: undefined })),
  },
  {
    name: 'install-before-durable',
    what: 'R10: an install counts, and is acknowledged, before its snapshot is durable',
    nodes: 3,
    mode: 'full',
    needs: { faults: [...AWAY, 'cut-leader', 'power-cut', 'cut-all', 'kill-all-then-cut'] },
    wrap: () => (env) => {
      const isSnapshot = (path: string): boolean => path.endsWith('.snapshot.tmp')
      return withFiles(env, (file, path) =>
        isSnapshot(path) ? withFile(file, { sync: () => Promise.resolve() }) : file,
      )
    },
  },
]
