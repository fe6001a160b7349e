// What of a log's segments is known to be bad (law R5), one range per segment. Known by this process only: a flipped bit is
// found again by the next process that reads it, a missing file by its start.

import { asOffset, type Offset } from '../base/brand.ts'
import type { SegmentDamage } from './find-damage.ts'
import type { Damage } from './store.ts'

export class LogDamage {
  readonly #bySegment = new Map<Offset, SegmentDamage>()
  readonly #listeners: ((damage: Damage) => void)[] = []

  onDamage(listener: (damage: Damage) => void): void {
    this.#listeners.push(listener)
  }

  /** The lowest one. */
  get first(): SegmentDamage | undefined {
    let first: SegmentDamage | undefined
    for (const damage of this.#bySegment.values()) {
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

  /** What lies wholly below the log start matters no more. */
  advanceLogStart(offset: Offset): void {
    for (const [segment, damage] of this.#bySegment) {
      if (damage.to <= offset) this.#bySegment.delete(segment)
    }
  }

  clear(): void {
    this.truncate(asOffset(0))
  }
}
