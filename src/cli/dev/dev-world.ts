// The world of `chronik dev`; tests bring their own.

import type { Env } from '../../env/env.ts'
import type { Http } from '../../env/http.ts'
import type { ChildSpec } from '../../env/node/child-process.ts'
import type { CallHttp } from '../admin-client.ts'
import type { ExitNow, Signals } from '../stopping.ts'
import type { DevNodeWorld } from './dev-node.ts'
import type { PrivateFiles } from './directory.ts'

export interface DevWorld {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly workingDirectory: string
  readonly pid: number
  readonly makeEnv: () => Promise<Env>
  /** What runs this program; the arguments of a command come after these. */
  readonly self: Pick<ChildSpec, 'program' | 'args'>
  /** How a person runs it from the working directory. */
  readonly selfText: string
  readonly startChild: DevNodeWorld['startChild']
  readonly callHttp: CallHttp
  readonly http: Http
  readonly files: PrivateFiles
  readonly signals: Signals
  readonly exitNow: ExitNow
  /** What was asked for, on standard output; a line or several. */
  readonly print: (text: string) => void
  /** For the person at the terminal. */
  readonly say: (text: string) => void
  /** Asks that person; undefined where there is no terminal. */
  readonly ask: ((question: string) => Promise<boolean>) | undefined
}
