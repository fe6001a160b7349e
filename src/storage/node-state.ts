// What the journal says of the whole node: the live logs by incarnation. The records of dead incarnations change nothing
// (law R10).

import { assert } from '../base/assert.ts'
import type { JournalRecord } from './journal-record.ts'
import { LogState, type Piece } from './log-state.ts'

export class NodeState {
  readonly logs = new Map<number, LogState>()
  /** Incarnations are never used twice, so a folder that belongs to no live one is a dropped log's. */
  nextIncarnation = 1

  /** Applies one record; `piece` comes with `append` and `copy`. */
  apply(record: JournalRecord, piece?: Piece): void {
    if (record.type === 'create') {
      assert(!this.logs.has(record.incarnation), `incarnation ${record.incarnation} twice`)
      this.logs.set(record.incarnation, new LogState(record))
      this.nextIncarnation = Math.max(this.nextIncarnation, record.incarnation + 1)
      return
    }
    const log = this.logs.get(record.incarnation)
    if (log === undefined) return
    if (record.type === 'drop') {
      this.logs.delete(record.incarnation)
      return
    }
    log.apply(record, piece)
  }

  /** The journal files that hold pieces which are nowhere else. */
  neededSequences(): Set<number> {
    const needed = new Set<number>()
    for (const log of this.logs.values()) {
      for (const { blob } of log.tail) if (blob.place !== undefined) needed.add(blob.place.sequence)
    }
    return needed
  }
}
