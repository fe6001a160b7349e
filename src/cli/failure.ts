// What a command throws when it can't do what it was asked: its message is for the person at the terminal and says what
// to do about it. Anything else that reaches the top is a defect and is shown with its stack.

/** 1: it was tried and failed. 2: it was asked for wrongly. */
export type ExitCode = 1 | 2

export class Failure extends Error {
  override readonly name = 'Failure'
  readonly exitCode: ExitCode
  constructor(
    message: string,
    options: { readonly exitCode?: ExitCode; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.exitCode = options.exitCode ?? 1
  }
}

/** A wrong option, argument, environment variable or line of the configuration file. */
export function usage(message: string): Failure {
  return new Failure(message, { exitCode: 2 })
}
