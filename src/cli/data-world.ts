// What the commands that talk to a cluster use of the world, so that tests bring their own: input, output, signals,
// time, network.

import type { ClientEnv } from '../client/client-env.ts'

export interface DataWorld {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly env: ClientEnv
  readonly input: AsyncIterable<Uint8Array>
  /** Ends the input early. */
  readonly stopInput: () => void
  /** Whether a person types the input. */
  readonly inputIsTerminal: boolean
  readonly output: Output
  /** For the person at the terminal; a line. */
  readonly say: (text: string) => void
  /** A line that the next one overwrites; undefined where no person watches. */
  readonly progress: ((text: string) => void) | undefined
  /** Asks that person; undefined where there is no terminal. */
  readonly ask: ((question: string) => Promise<boolean>) | undefined
  /** Calls back on Ctrl-C and SIGTERM instead of ending; the returned function undoes that. */
  readonly onStop: (listener: () => void) => () => void
}

export interface Output {
  /** Resolves when more may be written. */
  write(text: string | Uint8Array): Promise<void>
  /** The reader went away (`| head`): there is no use in going on, and it is no failure. */
  readonly isClosed: boolean
}
