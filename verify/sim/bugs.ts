// Errors planted between the node and its ports, to show that the simulation finds them.

import type { Prng } from '../../src/env/sim/prng.ts'
import type { Simulation } from '../../src/env/sim/simulation.ts'
import { DISK_BUGS } from './bugs-disk.ts'
import { CONSENSUS_BUGS } from './bugs-consensus.ts'
import { DAMAGE_BUGS } from './bugs-damage.ts'
import { INSTALL_BUGS } from './bugs-installs.ts'
import { WIRE_BUGS } from './bugs-wire.ts'
import { IDENTITY_BUGS } from './bugs-identity.ts'
import type { EnvWrap } from './node.ts'
import type { Conditions } from './plan.ts'

export interface Bug {
  readonly name: string
  readonly what: string
  /** Between the node and its ports. */
  readonly wrap?: (chance: Prng, simulation: Simulation) => EnvWrap
  /** In the product's own objects, of all nodes; what it returns takes it out again. */
  readonly plant?: (chance: Prng) => () => void
  /** Where one node can't show it. */
  readonly nodes?: number
  readonly needs?: Conditions
  /** Where a short seed can't show it. */
  readonly mode?: 'full'
}

export const BUGS: readonly Bug[] = [
  ...DISK_BUGS,
  ...WIRE_BUGS,
  ...CONSENSUS_BUGS,
  ...IDENTITY_BUGS,
  ...INSTALL_BUGS,
  ...DAMAGE_BUGS,
]
