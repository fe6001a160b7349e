// Writes down what clients do, in one order over all of them.

import type { History, Operation, Span } from './history.ts'

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never
/** An operation without its place in the history. */
export type Body = Without<Operation, keyof Span>

export interface Begun {
  readonly process: string
  readonly invoked: number
  readonly invokedMs: number
}

interface Entry {
  readonly begun: Begun
  body: Body | undefined
  completed: number
}

export class Recorder {
  readonly #nowMs: () => number
  readonly #told: (body: Body) => void
  readonly #entries: Entry[] = []
  readonly #open = new Map<number, Entry>()
  #moment = 0

  /** `nowMs` is for the texts alone; the order comes from the calls. `told` is called with what each operation came to. */
  constructor(nowMs: () => number, told: (body: Body) => void = () => {}) {
    this.#nowMs = nowMs
    this.#told = told
  }

  get operations(): number {
    return this.#entries.length
  }

  /**
   * An operation is about to be asked for. `meanwhile` is what stands in the history should it never end: what it may have done.
   * A read that never ends leaves nothing.
   */
  begin(process: string, meanwhile?: Body): Begun {
    const begun = { process, invoked: this.#moment++, invokedMs: this.#nowMs() }
    const entry = { begun, body: meanwhile, completed: Infinity }
    this.#entries.push(entry)
    this.#open.set(begun.invoked, entry)
    return begun
  }

  /** Its answer came, or it was given up. Undefined: it told nothing. */
  end(begun: Begun, body: Body | undefined): void {
    const entry = this.#open.get(begun.invoked)
    if (entry === undefined)
      throw new Error(`operation ${begun.invoked} has not begun, or has ended`)
    this.#open.delete(begun.invoked)
    entry.body = body
    entry.completed = this.#moment++
    if (body !== undefined) this.#told(body)
  }

  /** What the same answer says besides: it has the same beginning and ends now. */
  also(begun: Begun, body: Body): void {
    const entry = { begun, body, completed: this.#moment++ }
    this.#entries.push(entry)
  }

  /** Something that takes no time. */
  note(process: string, body: Body): void {
    this.end(this.begin(process), body)
  }

  history(): History {
    const operations: Operation[] = []
    for (const { begun, body, completed } of this.#entries) {
      if (body !== undefined) operations.push({ ...body, ...begun, completed })
    }
    return operations.toSorted((a, b) => a.invoked - b.invoked)
  }
}
