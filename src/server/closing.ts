// Parts that were opened, to be closed in the reverse order, whether a start went through or broke off in between.

export class Closing {
  readonly #steps: { readonly name: string; readonly close: () => Promise<void> | void }[] = []

  add(name: string, close: () => Promise<void> | void): void {
    this.#steps.push({ name, close })
  }

  /**
   * Closes everything once, also what comes after a part that fails to close. Returns the first failure; the others are
   * named in its message.
   */
  async run(): Promise<Error | undefined> {
    const failures: { readonly name: string; readonly error: unknown }[] = []
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.close()
      } catch (error) {
        failures.push({ name: step.name, error })
      }
    }
    const [first] = failures
    if (first === undefined) return undefined
    const text = failures.map(({ name, error }) => `${name}: ${String(error)}`).join('; ')
    return new Error(`not everything closed cleanly: ${text}`, { cause: first.error })
  }
}
