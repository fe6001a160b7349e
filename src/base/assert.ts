// Assertions that stay on. They guard against programmer errors: a failed one ends the process, since state that broke
// an invariant must not be persisted or acknowledged.

export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/** `message`: a function on paths so hot that putting the text together would count. */
export function assert(condition: unknown, message: string | (() => string)): asserts condition {
  if (condition) return
  throw new AssertionError(typeof message === 'string' ? message : message())
}

/** Marks a branch that the types exclude. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`)
}
