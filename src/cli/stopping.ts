// How a node stops: the first signal stops it cleanly, a second one at once. Stopping at once is safe too, since whatever
// was acknowledged is on disk; the next start then has a little more to read.

import type { Env } from '../env/env.ts'

export interface Signals {
  /** Returns the function that takes the listener off. */
  on(listener: (signal: string) => void): () => void
}

/** Ends the process; in tests it throws. */
export type ExitNow = (code: 0 | 1) => never

/**
 * Ctrl-C in a terminal reaches every process of the foreground group, and npm passes it on as well, so that one key stroke
 * may arrive twice; a person needs longer than this to press again.
 */
export const REPEAT_MS = 300

/** A clean stop that takes longer is cut short. */
export const STOP_MS_MAX = 1_800

export interface Stoppable {
  stop(): Promise<void>
  /** Resolves with what is wrong when there is no use in going on. */
  readonly failed?: Promise<Error>
}

/** Starts the node, waits for a signal, stops it. A signal that comes before it has started ends the process at once. */
export async function runUntilStopped(
  world: {
    readonly signals: Signals
    readonly exitNow: ExitNow
    readonly say: (text: string) => void
  },
  env: Pick<Env, 'clock' | 'timers'>,
  start: () => Promise<Stoppable>,
): Promise<void> {
  let firstAtMs: number | undefined
  let started = false
  const request = Promise.withResolvers<string>()
  const off = world.signals.on((signal) => {
    const nowMs = env.clock.monotonicMs()
    if (firstAtMs === undefined) {
      firstAtMs = nowMs
      if (!started) world.exitNow(0)
      request.resolve(signal)
    } else if (nowMs - firstAtMs >= REPEAT_MS) {
      world.say('stopped at once, on the second signal')
      world.exitNow(1)
    }
  })
  try {
    const node = await start()
    started = true
    const reason = await Promise.race([request.promise, ...(node.failed ? [node.failed] : [])])
    if (typeof reason === 'string') world.say(`stopping (${reason}) …`)
    const deadline = env.timers.after(STOP_MS_MAX, () => {
      world.say(
        `not stopped after ${STOP_MS_MAX} ms, so ending the process; acknowledged data is safe`,
      )
      world.exitNow(1)
    })
    await node.stop()
    deadline.cancel()
    if (typeof reason !== 'string') throw reason
  } finally {
    off()
  }
}
