// How this program was started, so that it can start itself again and tell a person how to.

import { existsSync, realpathSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

export interface ThisProgram {
  readonly program: string
  readonly args: readonly string[]
  /** From the working directory: `./bin/chronik` of a checkout, else `chronik`. */
  readonly text: string
}

export function thisProgram(): ThisProgram {
  const script = realpathSync(process.argv[1] ?? '')
  // <root>/src/cli/main.ts or <root>/dist/cli/main.js; a package brings no bin/chronik along.
  const launcher = join(dirname(script), '..', '..', 'bin', 'chronik')
  return {
    program: process.execPath,
    args: [...process.execArgv, script],
    text: existsSync(launcher) ? fromHere(launcher) : 'chronik',
  }
}

function fromHere(path: string): string {
  const near = relative(process.cwd(), path)
  return near.startsWith('..') ? path : `./${near}`
}
