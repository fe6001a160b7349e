// Runs file system calls on libuv's thread pool, in one of the disk port's two lanes. The pool has four threads and
// serves its queue in order; with at most two background calls in it, a commit-lane call always finds a free thread
// (its callers keep at most two of their own in flight).

import type { DiskLane } from '../disk.ts'
import { toDiskError } from './disk-error.ts'
import { Limiter } from '../limiter.ts'

export type Callback<T> = (error: NodeJS.ErrnoException | null, value: T) => void

export const BACKGROUND_OPERATIONS_MAX = 2

export class DiskPool {
  readonly #background = new Limiter(BACKGROUND_OPERATIONS_MAX)

  run<T>(
    lane: DiskLane,
    operation: string,
    path: string,
    start: (done: Callback<T>) => void,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const limiter = lane === 'background' ? this.#background : undefined
      const begin = (): void => {
        try {
          start((error, value) => {
            limiter?.release()
            if (error === null || error === undefined) resolve(value)
            else reject(toDiskError(error, operation, path))
          })
        } catch (error) {
          // Node checks arguments (a path with a zero byte, say) before it starts anything.
          limiter?.release()
          reject(toDiskError(error, operation, path))
        }
      }
      if (limiter === undefined) begin()
      else limiter.run(begin)
    })
  }
}
