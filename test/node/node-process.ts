// A node as its own process, for tests that start, signal and kill one.

import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export const root = join(import.meta.dirname, '..', '..')

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** What still runs when a test fails must not hold up the others. */
const running = new Set<NodeProcess>()

export function killAll(): void {
  for (const node of running) node.signal('SIGKILL')
}

export class NodeProcess {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  readonly #group: boolean
  stdout = ''
  stderr = ''

  /** `group`: signals go to the whole process group, as from a terminal. */
  constructor(
    program: string,
    args: readonly string[],
    options: { readonly cwd?: string; readonly group?: boolean } = {},
  ) {
    this.#group = options.group === true
    this.child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: options.cwd,
      detached: this.#group,
      env: withoutRunner(process.env),
    })
    running.add(this)
    this.child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()))
    this.child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()))
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        running.delete(this)
        resolve({ code, signal })
      })
    })
  }

  /** Resolves when the node has said that it is ready; fails when it ends before. */
  async ready(): Promise<this> {
    let ended: Ended | undefined
    void this.ended.then((how) => (ended = how))
    for (;;) {
      if (this.stdout.includes('is ready')) return this
      if (ended !== undefined) {
        throw new Error(`the node ended (${JSON.stringify(ended)}):\n${this.stdout}${this.stderr}`)
      }
      await sleep(5)
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    this.signal(signal)
    return this.ended
  }

  signal(signal: NodeJS.Signals): void {
    const { pid } = this.child
    if (pid !== undefined) process.kill(this.#group ? -pid : pid, signal)
  }
}

/** `chronik start` from this checkout, HTTP off unless asked for. */
export function startNode(...args: readonly string[]): NodeProcess {
  const http = args.some((arg) => arg === '--http' || arg === '--port-base')
    ? []
    : ['--http', 'off']
  return new NodeProcess(join(root, 'bin', 'chronik'), ['start', ...http, ...args])
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = address !== null && typeof address === 'object' ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}

/** Node's test runner marks its children's environment; what we start is none of them. */
export function withoutRunner(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const rest = {
    ...environment,
    PATH: `${join(root, 'node_modules', '.bin')}:${environment['PATH'] ?? ''}`,
  }
  delete (rest as Record<string, unknown>)['NODE_TEST_CONTEXT']
  return rest
}
