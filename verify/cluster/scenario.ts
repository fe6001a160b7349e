// What a scenario is.

import type { Bench } from './bench.ts'

export interface Scenario {
  readonly name: string
  /** One line for the list. */
  readonly what: string
  /** The clusters it makes sense for; the first is the default. */
  readonly nodes: readonly number[]
  /** It cuts links between nodes. */
  readonly proxied?: boolean
  /** Which client drives the load does not matter: it runs once, with the project's own. */
  readonly anyClient?: boolean
  /** Breaks things; reports through the bench, which is judged afterwards. Throws where it can't go on. */
  run(bench: Bench): Promise<void>
}
