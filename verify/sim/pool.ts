// Runs seeds in several processes. A seed that hangs or brings its process down is a failure of that seed alone.

import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Mode } from './plan.ts'
import type { Summary } from './summary.ts'

export type { Summary } from './summary.ts'

export interface Task {
  readonly seed: number
  readonly mode: Mode
  readonly nodes: number | undefined
  readonly bug: string | undefined
}

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url))
const SEED_MS_MAX = 120_000

export class Pool {
  #free: number
  readonly #waiting: (() => void)[] = []
  readonly #idle: ChildProcess[] = []

  constructor(jobs: number) {
    this.#free = jobs
  }

  /** Runs `body` when a process is free for it. */
  async slot<T>(body: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await body()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }

  run(task: Task): Promise<Summary> {
    const child =
      this.#idle.pop() ?? fork(WORKER, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    return new Promise((resolve) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), SEED_MS_MAX)
      const done = (summary: Summary): void => {
        clearTimeout(timer)
        child.off('message', answered)
        child.off('exit', ended)
        resolve(summary)
      }
      const answered = (summary: Summary): void => {
        this.#idle.push(child)
        done(summary)
      }
      const ended = (code: number | null): void => done(broken(task, code))
      child.on('message', answered)
      child.on('exit', ended)
      child.send(task)
    })
  }

  close(): void {
    for (const child of this.#idle) child.disconnect()
  }
}

function broken(task: Task, code: number | null): Summary {
  const text =
    code === null ? `it took more than ${SEED_MS_MAX} ms` : `its process ended with ${code}`
  return {
    ...task,
    problems: [{ name: 'broken', where: `seed ${task.seed}`, text }],
    traceHash: '',
    operations: 0,
    acknowledged: 0,
    faults: 0,
    starts: 0,
    virtualMs: 0,
  }
}
