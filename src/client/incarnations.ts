// Topics of one name that followed one another, as far as this client made them come and go. A node that is behind still names
// the one that is gone; what is sent to that one is lost with it.

import { ZERO_UUID } from '../protocol/schema.ts'

/** How many are remembered; the oldest go first. */
const GONE_MAX = 1_000

export class Incarnations {
  /** The last that this client created, by name. */
  readonly #created = new Map<string, string>()
  /** Ids. */
  readonly #gone = new Set<string>()

  isGone(topicId: string): boolean {
    return this.#gone.has(topicId)
  }

  /** `seen`: the id under which the name was last seen. */
  replacing(name: string, seen: string | undefined): (created?: string) => void {
    const before = this.#created.get(name)
    return (created) => {
      this.#retire(seen)
      this.#retire(before)
      if (created === undefined) return
      this.#created.set(name, created)
      bound(this.#created)
    }
  }

  #retire(topicId: string | undefined): void {
    if (topicId === undefined || topicId === ZERO_UUID) return
    this.#gone.add(topicId)
    bound(this.#gone)
  }
}

function bound(seen: Map<string, string> | Set<string>): void {
  const [oldest] = seen.keys()
  if (oldest !== undefined && seen.size > GONE_MAX) seen.delete(oldest)
}
