// What one step asks for, collected while it runs. A step that asks for nothing costs no object: most acknowledgements of
// a busy group only say that followers may be sent more.

import type { NodeId } from '../base/brand.ts'
import type { Position } from '../base/position.ts'
import type { HardState, Promised } from './durability.ts'
import type { Effects, LogOp, Outgoing } from './events.ts'
import type { BatchRef, FreeMessage } from './messages.ts'

export class Outbox<B extends BatchRef> {
  #hardState: HardState | undefined
  #send: Outgoing<B>[] = []
  #committed: Position | undefined
  #roleChanged = false
  #replicate = false

  send(to: NodeId, message: FreeMessage<B> | Promised): void {
    this.#send.push({ to, message })
  }

  hardState(state: HardState): void {
    this.#hardState = state
  }

  committed(to: Position): void {
    this.#committed = to
  }

  roleChanged(): void {
    this.#roleChanged = true
  }

  replicate(): void {
    this.#replicate = true
  }

  take(log: readonly LogOp<B>[], leads: boolean): Effects<B> {
    const replicate = this.#replicate && leads
    const nothingElse =
      this.#hardState === undefined &&
      this.#committed === undefined &&
      !this.#roleChanged &&
      this.#send.length === 0 &&
      log.length === 0
    this.#replicate = false
    if (nothingElse) return replicate ? ONLY_REPLICATE : NOTHING_ASKED
    const effects: Effects<B> = {
      hardState: this.#hardState,
      log,
      send: this.#send,
      committed: this.#committed,
      roleChanged: this.#roleChanged,
      replicate,
    }
    this.#hardState = undefined
    this.#send = []
    this.#committed = undefined
    this.#roleChanged = false
    return effects
  }
}

const NOTHING_ASKED: Effects<never> = {
  hardState: undefined,
  log: [],
  send: [],
  committed: undefined,
  roleChanged: false,
  replicate: false,
}

const ONLY_REPLICATE: Effects<never> = { ...NOTHING_ASKED, replicate: true }
