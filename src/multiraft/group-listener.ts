// What one replica of a group tells whoever follows it.

import type { Offset } from '../base/brand.ts'
import type { Position } from '../base/position.ts'

/** Follows one group. Called synchronously, in log order; must not throw. */
export interface GroupListener {
  onAppended(batches: Uint8Array, baseOffset: Offset): void
  onTruncated(to: Position): void
  /** The log start moves there once it has resolved, or at once where there is nothing to wait for. Must not reject. */
  beforeLogStart(logStart: Offset): Promise<void> | undefined
  onLogStart(logStart: Offset): void
  /**
   * Leader only: a follower is to begin at the log start, and no snapshot is there that covers what lies below. True: one
   * will be. False: there is nothing to know.
   */
  snapshotWanted(): boolean
  /** The leader's snapshot was taken over, durably. */
  onSnapshot(): void
  onCommitted(commit: Position): void
  /** Leader only: a follower holds more than before, durably. */
  onAcknowledged(): void
  /** Role, term, leader or `established`. */
  onRole(): void
}
