// Child processes of the client suites: run one to its end with a time limit, or keep one and read it line by line.
// Nothing here knows Kafka.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'

export interface Finished {
  readonly code: number | null
  readonly signal: string | null
  readonly stdout: Buffer
  readonly stderr: string
  readonly ms: number
}

export interface RunOptions {
  readonly input?: Uint8Array | string
  readonly timeoutMs?: number
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** Runs a command to its end. Never rejects for an exit code; rejects when the command can't start or runs too long. */
export function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  const timeoutMs = options.timeoutMs ?? 60_000
  const startedMs = Date.now()
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    })
    const out: Buffer[] = []
    const err: Buffer[] = []
    let late = false
    const timer = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
    }, timeoutMs)
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
    child.on('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.stdin.on('error', () => {}) // the child may end without reading its input; its exit code tells
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      const stderr = Buffer.concat(err).toString()
      if (late) {
        const said = (stderr + Buffer.concat(out).toString()).slice(-1500)
        reject(new Error(`${show(command, args)} did not end within ${timeoutMs} ms\n${said}`))
        return
      }
      resolve({ code, signal, stdout: Buffer.concat(out), stderr, ms: Date.now() - startedMs })
    })
    child.stdin.end(options.input ?? '')
  })
}

/** As `run`, and rejects unless the exit code is 0; the error says what the command printed. */
export async function runOk(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  const done = await run(command, args, options)
  if (done.code !== 0) {
    const said = (done.stderr + done.stdout.toString()).slice(-3000)
    throw new Error(`${show(command, args)} ended with ${done.code ?? done.signal}\n${said}`)
  }
  return done
}

export function show(command: string, args: readonly string[]): string {
  const words = [command, ...args].map((word) =>
    /^[\w./:=@,+-]+$/.test(word) ? word : JSON.stringify(word),
  )
  const line = words.join(' ')
  return line.length > 400 ? `${line.slice(0, 400)}…` : line
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Asks until the answer is not undefined; fails with what it waited for. */
export async function waitFor<T>(
  what: string,
  timeoutMs: number,
  ask: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const endMs = Date.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (Date.now() > endMs) throw new Error(`waited ${timeoutMs} ms for: ${what}`)
    await sleep(50)
  }
}

/** Resolves when the process is gone, whatever ended it. */
export function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => child.once('exit', () => resolve()))
}
