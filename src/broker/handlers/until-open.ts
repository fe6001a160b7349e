// What names partitions to a client waits until those of this node can be used, so that the client's next request need not be
// refused; a disk that does not answer must not keep the answer back for ever.

import type { Services } from '../services.ts'
import { withTimeout } from './with-timeout.ts'

const OPENING_MS_MAX = 5_000

/** Resolves when the topics' partitions here are open or failed to open for now, or after the client's patience. */
export function untilOpen(
  { deadlines, partitions }: Pick<Services, 'deadlines' | 'partitions'>,
  topics: readonly string[],
  patienceMs = OPENING_MS_MAX,
): Promise<void> {
  const waitMs = Math.min(Math.max(0, patienceMs), OPENING_MS_MAX)
  return withTimeout(deadlines, waitMs, partitions.whenOpen(topics), () => undefined)
}
