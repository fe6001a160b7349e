// What holds one value at a time: a group's committed offset, a setting, whether a topic exists. A read must give a value
// that some write had put there and that no later acknowledged write had surely replaced.

import type { Anomaly } from './anomaly.ts'
import type { Commit, History, Outcome } from './history.ts'
import { nameOf } from './history.ts'

interface Write {
  readonly value: string
  readonly invoked: number
  readonly completed: number
  /** Infinity for one that may take effect at any later time. */
  readonly effectiveBy: number
}

interface ReadOf {
  readonly value: string
  readonly stale?: boolean | undefined
  readonly invoked: number
  readonly completed: number
  readonly who: string
}

interface Register {
  readonly writes: Write[]
  readonly reads: ReadOf[]
}

const NO_OFFSET = '-1'

export function checkRegisters(history: History): Anomaly[] {
  return [...checkCommits(history), ...checkSettings(history)]
}

/** stale-commit and lost-commit. */
function checkCommits(history: History): Anomaly[] {
  const registers = new Map<string, Register>()
  for (const op of history) {
    if (op.kind === 'commit') {
      for (const position of op.positions) {
        const name = `${op.group} on ${nameOf(position)}`
        addWrite(register(registers, name), op, String(position.offset))
      }
    } else if (op.kind === 'committed') {
      for (const position of op.positions) {
        const { invoked, completed } = op
        const who = op.process
        const value = String(position.offset)
        const name = `${op.group} on ${nameOf(position)}`
        register(registers, name).reads.push({ value, invoked, completed, who })
      }
    }
  }
  return [...registers].flatMap(([where, { writes, reads }]) =>
    impossible([initial(NO_OFFSET), ...writes], reads).map(({ read, instead }): Anomaly => {
      const lost = read.value === NO_OFFSET
      const what = lost ? 'no committed offset' : `the committed offset ${read.value}`
      const text = `${read.who} found ${what}; it must be one of ${instead.join(', ')}`
      return { name: lost ? 'lost-commit' : 'stale-commit', where, text }
    }),
  )
}

/** stale-read. The first thing seen of a setting may be anything. */
function checkSettings(history: History): Anomaly[] {
  const registers = new Map<string, Register>()
  for (const op of history) {
    if (op.kind === 'write') addWrite(register(registers, op.register), op, op.value)
    if (op.kind === 'read') {
      const { value, stale, invoked, completed, process: who } = op
      register(registers, op.register).reads.push({ value, stale, invoked, completed, who })
    }
  }
  return [...registers].flatMap(([where, { writes, reads }]) =>
    impossible(
      writes,
      reads.filter((read) => writes.some((w) => w.completed < read.invoked)),
    ).map(({ read, instead }): Anomaly => ({
      name: 'stale-read',
      where,
      text: `${read.who} found ${read.value}; it must be one of ${instead.join(', ')}`,
    })),
  )
}

function register(registers: Map<string, Register>, name: string): Register {
  let found = registers.get(name)
  if (found === undefined) registers.set(name, (found = { writes: [], reads: [] }))
  return found
}

function addWrite(
  { writes }: Register,
  op: Pick<Commit, 'invoked' | 'completed' | 'retried'> & { readonly outcome: Outcome },
  value: string,
): void {
  if (op.outcome === 'fail') return
  const completed = op.outcome === 'ok' ? op.completed : Infinity
  const effectiveBy = op.retried ? Infinity : completed
  writes.push({ value, invoked: op.invoked, completed, effectiveBy })
}

function initial(value: string): Write {
  return { value, invoked: -1, completed: -1, effectiveBy: -1 }
}

/** The reads whose value no write can have put there at that time, with the values that were possible. */
function impossible(
  writes: readonly Write[],
  reads: readonly ReadOf[],
): { readonly read: ReadOf; readonly instead: readonly string[] }[] {
  const found: { read: ReadOf; instead: readonly string[] }[] = []
  for (const read of reads) {
    // What was there before the first write may be found by one that lags.
    if (read.stale === true && !writes.some((write) => write.value === read.value)) continue
    // The latest beginning of a write that surely was done before the read began: what surely ended before that is gone.
    let lastDone = -1
    for (const write of writes) {
      if (write.completed < read.invoked) lastDone = Math.max(lastDone, write.invoked)
    }
    const replaced = (write: Write): boolean => read.stale !== true && write.effectiveBy < lastDone
    const possible = writes.filter((write) => write.invoked < read.completed && !replaced(write))
    if (possible.some((write) => write.value === read.value)) continue
    found.push({ read, instead: [...new Set(possible.map((write) => write.value))] })
  }
  return found
}
