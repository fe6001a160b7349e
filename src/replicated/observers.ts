// The observers of one log. An observer follows the log's state, so one that throws leaves it behind: the process must end
// rather than serve from it.

import type { Host } from '../env/env.ts'
import type { LogObserver } from './replicated-log.ts'

export class Observers {
  readonly #host: Pick<Host, 'fatal'>
  /** Replaced, never changed, so that an observer may leave while others are being called. */
  #all: readonly LogObserver[] = []

  constructor(host: Pick<Host, 'fatal'>) {
    this.#host = host
  }

  add(observer: LogObserver): () => void {
    this.#all = [...this.#all, observer]
    return () => {
      this.#all = this.#all.filter((other) => other !== observer)
    }
  }

  get empty(): boolean {
    return this.#all.length === 0
  }

  /** What the observers answer; undefined where none of them does. */
  ask(question: (observer: LogObserver) => Promise<void> | undefined): Promise<void> | undefined {
    const answers: Promise<void>[] = []
    this.notify((observer) => {
      const answer = question(observer)
      if (answer !== undefined) answers.push(answer)
    })
    return answers.length === 0 ? undefined : Promise.all(answers).then(() => undefined)
  }

  notify(call: (observer: LogObserver) => void): void {
    for (const observer of this.#all) {
      try {
        call(observer)
      } catch (error) {
        this.#host.fatal('an observer of a log failed', error)
      }
    }
  }
}
