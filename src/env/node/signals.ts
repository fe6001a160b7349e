// Process signals for the command line.

export type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

/** Calls `listener` on each of the signals instead of ending the process; the returned function undoes that. */
export function onSignal(
  signals: readonly StopSignal[],
  listener: (signal: StopSignal) => void,
): () => void {
  const handlers = signals.map((signal) => ({ signal, handler: () => listener(signal) }))
  for (const { signal, handler } of handlers) process.on(signal, handler)
  return () => {
    for (const { signal, handler } of handlers) process.off(signal, handler)
  }
}
