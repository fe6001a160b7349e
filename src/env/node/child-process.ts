// Processes that the development supervisor runs. Each holds a pipe from us as its standard input, so that it learns when
// we are gone, however we died; that it then ends is for the program to do.

import { type ChildProcess, spawn } from 'node:child_process'

export interface ChildSpec {
  readonly program: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Without its line feed; a longer line than LINE_LENGTH_MAX comes in pieces. */
  readonly onLine: (line: string, from: 'out' | 'err') => void
  /** Once, after the last line. */
  readonly onExit: (how: ChildExit) => void
}

export interface ChildExit {
  /** Null when a signal ended it, or it could not be started. */
  readonly code: number | null
  readonly signal: string | null
  /** Why it could not be started. */
  readonly error?: string
}

export type ChildSignal = 'SIGTERM' | 'SIGKILL'

export interface Child {
  /** Undefined where it could not be started. */
  readonly pid: number | undefined
  /** Nothing happens where it has ended already. */
  signal(name: ChildSignal): void
  /** SIGSTOP. Should we die, it goes on, and so learns that we are gone. */
  pause(): void
  resume(): void
}

const LINE_LENGTH_MAX = 16 * 1024

export function startChild(spec: ChildSpec): Child {
  const child = spawn(spec.program, spec.args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...spec.environment },
  })
  // A write error of the pipe says that the child is gone, which `exit` says too.
  child.stdin.on('error', () => undefined)
  const flushOut = readLines(child.stdout, (line) => spec.onLine(line, 'out'))
  const flushErr = readLines(child.stderr, (line) => spec.onLine(line, 'err'))
  let guard: ChildProcess | undefined
  const release = (): void => {
    guard?.kill('SIGKILL')
    guard = undefined
  }
  let failure: string | undefined
  child.on('error', (error) => {
    failure = error.message
    if (child.pid === undefined) spec.onExit({ code: null, signal: null, error: failure })
  })
  child.on('exit', release)
  child.on('close', (code, signal) => {
    flushOut()
    flushErr()
    if (child.pid !== undefined) spec.onExit({ code, signal })
  })
  return {
    pid: child.pid,
    signal: (name) => void child.kill(name),
    pause: () => {
      if (child.pid === undefined) return
      guard ??= startGuard(child.pid)
      child.kill('SIGSTOP')
    },
    resume: () => {
      child.kill('SIGCONT')
      release()
    },
  }
}

/** Waits for the end of its input, which comes when we die, and then wakes the paused process. */
function startGuard(pid: number): ChildProcess {
  const script = `trap '' INT TERM HUP; read _; kill -CONT ${pid}`
  const guard = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'] })
  guard.stdin?.on('error', () => undefined)
  guard.on('error', () => undefined)
  return guard
}

/** Returns the function that hands out what came after the last line feed. */
function readLines(stream: NodeJS.ReadableStream, onLine: (line: string) => void): () => void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    const lines = `${rest}${chunk}`.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line)
    if (rest.length <= LINE_LENGTH_MAX) return
    onLine(rest)
    rest = ''
  })
  return () => {
    if (rest !== '') onLine(rest)
    rest = ''
  }
}
