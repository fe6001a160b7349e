// Watches what clients are told against what the replicas know: nothing that is not committed is ever served, and nothing is
// acknowledged before it is.

import { asLogId } from '../../src/base/brand.ts'
import type { PartitionName } from '../history/history.ts'
import { nameOf } from '../history/history.ts'
import type { Body } from '../history/recorder.ts'
import type { Invariants } from './invariants.ts'
import type { Problem } from './problems.ts'

export class Served {
  readonly #invariants: Invariants
  readonly #report: (problem: Problem) => void
  /** Of topics that the history names without their id. */
  readonly #topicIds = new Map<string, string>()

  constructor(invariants: Invariants, report: (problem: Problem) => void) {
    this.#invariants = invariants
    this.#report = report
  }

  topic(name: string, id: string): void {
    this.#topicIds.set(name, id)
  }

  /** What an answer says, in the moment in which it comes. */
  watch(body: Body): void {
    switch (body.kind) {
      case 'poll':
      case 'final':
        for (const { offset, ...at } of body.records) this.#must(at, offset + 1, 'was served')
        break
      case 'bytes':
        for (const { last } of body.batches) this.#must(body, last + 1, 'was served')
        break
      case 'end':
        this.#must(body, body.highWatermark, 'was said to be committed')
        break
      case 'produce':
        for (const { outcome, offset, ...at } of body.records) {
          if (outcome === 'ok') this.#must(at, offset + 1, 'was acknowledged')
        }
        break
      default:
        break
    }
  }

  #must({ topic, partition }: PartitionName, end: number, what: string): void {
    const id = this.#topicIds.get(topic) ?? topic.split('#')[1]
    if (id === undefined) return
    const committed = this.#invariants.committedOf(asLogId(`${id}-${partition}`))
    if (end <= committed) return
    const where = nameOf({ topic, partition })
    const text = `what ends at ${end} ${what} while no replica knew more than ${committed} to be committed`
    this.#report({ name: 'uncommitted', where, text })
  }
}
