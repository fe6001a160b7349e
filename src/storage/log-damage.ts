// What of a log's segments is known to be bad (law R5), one range per segment. Known by this process only: a flipped bit is
// found again by the next process that reads it, a missing file by its start.

import type { Offset } from '../base/brand.ts'
import type { SegmentDamage } from './find-damage.ts'
import type { Damage } from './store.ts'

export class LogDamage {
  readonly #bySegment = new Map<Offset, SegmentDamage>()
  /** What lies wholly below it matters to nobody, but is still in the way of whoever reads the segment's file. */
  #logStart: Offset
  readonly #listeners: ((damage: Damage) => void)[] = []

  constructor(logStart: Offset) {
    this.#logStart = logStart
  }

  onDamage(listener: (damage: Damage) => void): void {
    this.#listeners.push(listener)
  }

  /** The lowest one that matters. */
  get first(): SegmentDamage | undefined {
    let first: SegmentDamage | undefined
    for (const damage of this.#bySegment.values()) {
      if (damage.to <= this.#logStart) continue
      if (first === undefined || damage.from < first.from) first = damage
    }
    return first
  }

  ofSegment(base: Offset): SegmentDamage | undefined {
    return this.#bySegment.get(base)
  }

  /** The range that holds the offset. */
  at(offset: Offset): SegmentDamage | undefined {
    for (const damage of this.#bySegment.values()) {
      if (offset >= damage.from && offset < damage.to) return damage
    }
    return undefined
  }

  note(damage: SegmentDamage): void {
    this.#bySegment.set(damage.segment, damage)
    const { from, to } = damage
    if (to <= this.#logStart) return
    for (const listener of this.#listeners) listener({ from, to })
  }

  healed(segment: Offset): void {
    this.#bySegment.delete(segment)
  }

  truncate(offset: Offset): void {
    for (const [segment, damage] of this.#bySegment) {
      if (damage.from >= offset) this.#bySegment.delete(segment)
      // Nothing is left of the segment behind it.
      else if (damage.to > offset) this.#bySegment.set(segment, { ...damage, to: offset })
    }
  }

  advanceLogStart(offset: Offset): void {
    this.#logStart = offset
  }

  /** Nothing is left of the log; it starts at `logStart`. */
  clear(logStart: Offset): void {
    this.#bySegment.clear()
    this.#logStart = logStart
  }

  /** Whether any of the segment that is still served is bad. */
  matters(segment: Offset): boolean {
    const damage = this.#bySegment.get(segment)
    return damage !== undefined && damage.to > this.#logStart
  }
}
