// The client's patience with something that takes effect all the same.

import type { Deadlines } from '../deadlines.ts'

/** Settles as `promise` does, or with `late()` after `timeoutMs`. */
export function withTimeout<T>(
  deadlines: Deadlines,
  timeoutMs: number,
  promise: Promise<T>,
  late: () => T,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const deadline = deadlines.after(Math.max(0, timeoutMs), () => resolve(late()))
    promise.then(resolve, reject).finally(() => deadlines.cancel(deadline))
  })
}
