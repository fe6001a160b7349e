// Errors planted between the node and its ports, to show that the simulation finds them.

import type { Prng } from '../../src/env/sim/prng.ts'
import type { Simulation } from '../../src/env/sim/simulation.ts'
import { DISK_BUGS } from './bugs-disk.ts'
import { WIRE_BUGS } from './bugs-wire.ts'
import type { EnvWrap } from './node.ts'

export interface Bug {
  readonly name: string
  readonly what: string
  readonly wrap: (chance: Prng, simulation: Simulation) => EnvWrap
}

export const BUGS: readonly Bug[] = [...DISK_BUGS, ...WIRE_BUGS]
