// What a seed may find wrong besides the anomalies of its history.

export interface Problem {
  /** An anomaly's name, or one of: `no-progress`, `node-failed`, `client-failed`, `wire-order`, `stuck`. */
  readonly name: string
  readonly where: string
  readonly text: string
}

export function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
