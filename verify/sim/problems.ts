// What a seed may find wrong besides the anomalies of its history.

export interface Problem {
  /** An anomaly's name, or one of: `no-progress`, `node-failed`, `client-failed`, `wire-order`, `stuck`. */
  readonly name: string
  readonly where: string
  readonly text: string
}

export function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // The last lines are the event loop's and differ from one time to the next.
  const stack = (error.stack ?? '').split('\n').filter((line) => !line.includes('node:internal'))
  return stack.length === 0 ? String(error) : stack.join('\n')
}
