// Producer ids for this node's idempotent producers. The controller gives them in blocks (KIP-730), so that most requests
// need nobody; what is left of a block at a restart is lost, which costs nothing.

import type { ControllerCommands } from '../controller/commands.ts'
import { ErrorCode } from '../protocol/error-codes.ts'

export type ProducerIdGiven =
  | { readonly kind: 'given'; readonly producerId: number }
  | { readonly kind: 'failed'; readonly error: ErrorCode }

export class ProducerIds {
  readonly #controller: Pick<ControllerCommands, 'allocateProducerIds'>
  #next = 0
  #end = 0
  #allocating: Promise<ErrorCode> | undefined

  constructor(controller: Pick<ControllerCommands, 'allocateProducerIds'>) {
    this.#controller = controller
  }

  async next(): Promise<ProducerIdGiven> {
    // Others may empty a new block before it is this request's turn.
    while (this.#next === this.#end) {
      this.#allocating ??= this.#allocate()
      const error = await this.#allocating
      if (error !== ErrorCode.NONE) return { kind: 'failed', error }
    }
    return { kind: 'given', producerId: this.#next++ }
  }

  async #allocate(): Promise<ErrorCode> {
    try {
      const { errorCode, first, count } = await this.#controller.allocateProducerIds()
      // Clients retry on this whatever kept the block from being given.
      if (errorCode !== ErrorCode.NONE) return ErrorCode.COORDINATOR_NOT_AVAILABLE
      this.#next = first
      this.#end = first + count
      return ErrorCode.NONE
    } finally {
      this.#allocating = undefined
    }
  }
}
