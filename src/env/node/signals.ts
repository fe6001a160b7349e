// What tells a process of the command line to stop: signals, and the end of its input.

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

/** Calls `listener` once, when standard input ends; what comes before is thrown away. The returned function undoes that. */
export function onInputEnd(listener: () => void): () => void {
  const { stdin } = process
  let over = false
  const end = (): void => {
    if (!over) listener()
    over = true
  }
  // A pipe whose other end died may fail rather than end.
  for (const event of ['end', 'close', 'error']) stdin.on(event, end)
  stdin.resume()
  return () => {
    over = true
    stdin.destroy()
  }
}
