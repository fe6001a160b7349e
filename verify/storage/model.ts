// What the fuzz knows: for each log the changes that the store accepted, in order, and how many of them it has reported
// durable. After a crash the log must stand exactly as after some number of them, at least those.

import type { HardState } from '../../src/storage/store.ts'

export interface ModelPosition {
  readonly epoch: number
  readonly offset: number
}

export interface ModelBatch {
  readonly base: number
  readonly last: number
  readonly bytes: Uint8Array
  readonly maxTimestampMs: number
}

export type ModelChange = { readonly turn: number } & (
  | { readonly kind: 'batch'; readonly batch: ModelBatch }
  | { readonly kind: 'epoch'; readonly epoch: number }
  | { readonly kind: 'truncate'; readonly to: ModelPosition }
  | { readonly kind: 'install'; readonly at: number; readonly epochs: Image['epochs'] }
  | { readonly kind: 'log-start'; readonly offset: number }
)

/** Which changes a durable position proves: until an install is durable, none is reported at all. */
const NAMED_BY_POSITION: { readonly [K in ModelChange['kind']]: boolean } = {
  batch: true,
  epoch: true,
  truncate: false,
  install: true,
  'log-start': false,
}

/** The content of a log: an array of batches, and the law R1 table. Never changed, only replaced. */
export interface Image {
  readonly epochs: readonly { readonly epoch: number; readonly start: number }[]
  /** Those that are served: none lies wholly below the log start. */
  readonly batches: readonly ModelBatch[]
  readonly logStart: number
  readonly end: number
}

export const EMPTY: Image = { epochs: [], batches: [], logStart: 0, end: 0 }

export function lastEpoch(image: Image): number {
  return image.epochs.at(-1)?.epoch ?? -1
}

/** Law R1, written down once more. */
export function applyChange(image: Image, change: ModelChange): Image {
  switch (change.kind) {
    case 'batch':
      return { ...image, batches: [...image.batches, change.batch], end: change.batch.last + 1 }
    case 'epoch':
      return { ...image, epochs: [...image.epochs, { epoch: change.epoch, start: image.end }] }
    case 'truncate': {
      const { epoch, offset } = change.to
      return {
        ...image,
        epochs: image.epochs.filter((entry) => entry.epoch <= epoch),
        batches: image.batches.filter((batch) => batch.base < offset),
        end: offset,
      }
    }
    case 'install':
      return { epochs: change.epochs, batches: [], logStart: change.at, end: change.at }
    case 'log-start': {
      const { offset } = change
      const inForce = image.epochs.findLastIndex((entry) => entry.start < offset)
      return {
        ...image,
        epochs: image.epochs.slice(Math.max(0, inForce)),
        batches: image.batches.filter((batch) => batch.last >= offset),
        logStart: offset,
      }
    }
  }
}

export function holds(image: Image, position: ModelPosition): boolean {
  const i = image.epochs.findIndex((entry) => entry.epoch === position.epoch)
  const entry = image.epochs[i]
  if (entry === undefined) return false
  const end = image.epochs[i + 1]?.start ?? image.end
  return position.offset >= entry.start && position.offset <= end
}

export class LogModel {
  readonly id: string
  readonly incarnation: number
  readonly descriptor: Uint8Array
  /** After the first `durableChanges` of the changes; certainly durable, once the creation is. */
  #durableImage: Image
  #changes: ModelChange[] = []
  #image: Image
  /** Of `changes`, how many were reported durable. */
  durableChanges = 0
  createDurable: boolean
  dropped = false
  dropDurable = false
  /** The one in force first, then those that may have become durable since. */
  hardStates: HardState[]
  /** By position, what was saved there. */
  readonly snapshots = new Map<string, readonly Uint8Array[]>()
  readonly usedEpochs = new Set<number>()
  /** After a truncation or a restart a leader starts a new epoch before it appends (law R2). */
  needsEpoch = true

  constructor(
    id: string,
    incarnation: number,
    options: {
      readonly image: Image
      readonly hardState: HardState
      readonly createDurable: boolean
      readonly descriptor: Uint8Array
    },
  ) {
    this.id = id
    this.incarnation = incarnation
    this.#durableImage = options.image
    this.#image = options.image
    this.hardStates = [options.hardState]
    this.createDurable = options.createDurable
    this.descriptor = options.descriptor
  }

  /** The accepted state. */
  get image(): Image {
    return this.#image
  }

  get accepted(): number {
    return this.#changes.length
  }

  accept(change: ModelChange): void {
    this.#changes.push(change)
    this.#image = applyChange(this.#image, change)
  }

  saveHardState(state: HardState): void {
    this.hardStates.push(state)
  }

  hardStateDurable(state: HardState): void {
    const index = this.hardStates.findIndex((saved) => sameHardState(saved, state))
    if (index > 0) this.hardStates.splice(0, index)
  }

  /**
   * The store reported this durable position. A position names what was appended to reach it; it says nothing of a
   * truncation down to it, since everything at or below it was durable before as well.
   */
  reportedDurable(position: ModelPosition): void {
    this.createDurable = true
    let image = this.#durableImage
    for (let count = this.durableChanges + 1; count <= this.#changes.length; count++) {
      const change = this.#changes[count - 1]!
      image = applyChange(image, change)
      const reached = image.end === position.offset && lastEpoch(image) === position.epoch
      if (reached && NAMED_BY_POSITION[change.kind]) {
        this.#advance(count)
        return
      }
    }
  }

  #advance(count: number): void {
    while (this.durableChanges < count) {
      this.#durableImage = applyChange(this.#durableImage, this.#changes[this.durableChanges]!)
      this.durableChanges++
    }
  }

  /** `upTo` changes and everything else accepted by then are durable. */
  flushed(upTo: number, hardState: HardState | undefined): void {
    this.createDurable = true
    this.#advance(upTo)
    if (hardState !== undefined) this.hardStateDurable(hardState)
  }

  /**
   * The states that a crash may leave, the shortest first. A truncation and what was accepted in the same turn after it
   * are one: never the one without the other.
   */
  *candidates(): Generator<Image> {
    let image = this.#durableImage
    for (let count = this.durableChanges; count <= this.#changes.length; count++) {
      if (count > this.durableChanges) image = applyChange(image, this.#changes[count - 1]!)
      if (!this.#insideTruncation(count)) yield image
    }
  }

  /** Whether the next change is an entry and came in the turn of a truncation before it. */
  #insideTruncation(count: number): boolean {
    const next = this.#changes[count]
    if (next?.kind !== 'batch' && next?.kind !== 'epoch') return false
    for (let i = count - 1; i >= 0; i--) {
      const change = this.#changes[i]
      if (change?.turn !== next.turn) return false
      if (change.kind === 'truncate') return true
    }
    return false
  }

  /** After a recovery that has been reported: what was found is durable, what was not is gone. */
  settle(image: Image, hardState: HardState): void {
    this.#durableImage = image
    this.#changes = []
    this.#image = image
    this.durableChanges = 0
    this.createDurable = true
    this.dropped = false
    this.needsEpoch = true
    this.hardStates = [hardState]
  }
}

export function sameHardState(a: HardState, b: HardState): boolean {
  return a.term === b.term && a.votedFor === b.votedFor && a.suspect === b.suspect
}

/** All logs; of each id the incarnations that may come back, oldest first. */
export class StoreModel {
  readonly #logs = new Map<string, LogModel[]>()

  /** The log that the store serves under this id. */
  live(id: string): LogModel | undefined {
    const log = this.#logs.get(id)?.at(-1)
    return log?.dropped === true ? undefined : log
  }

  allLive(): LogModel[] {
    return [...this.#logs.values()]
      .map((all) => all.at(-1))
      .filter((log) => log?.dropped === false) as LogModel[]
  }

  created(log: LogModel): void {
    const all = this.#logs.get(log.id) ?? []
    all.push(log)
    this.#logs.set(log.id, all)
  }

  /** Call at the time of the flush; the result is called when it has returned. */
  flushing(): () => void {
    const marks = [...this.#logs.values()].flat().map((log) => ({
      log,
      upTo: log.accepted,
      hardState: log.hardStates.at(-1),
      dropped: log.dropped,
    }))
    return () => {
      for (const { log, upTo, hardState, dropped } of marks) {
        log.flushed(upTo, hardState)
        if (dropped) log.dropDurable = true
      }
    }
  }

  ids(): string[] {
    return [...this.#logs.keys()]
  }

  /** The incarnations that a recovery may bring back, and whether none at all would be right too. */
  mayReturn(id: string): { readonly logs: readonly LogModel[]; readonly orNone: boolean } {
    const all = this.#logs.get(id) ?? []
    const required = all.findLast((log) => log.createDurable)
    const from = required === undefined ? 0 : all.indexOf(required)
    return {
      logs: all.slice(from).filter((log) => !log.dropDurable),
      orNone: required === undefined || required.dropped,
    }
  }

  /** After a recovery: only this incarnation of the id, or none, is left. */
  recovered(id: string, log: LogModel | undefined): void {
    if (log === undefined) this.#logs.delete(id)
    else this.#logs.set(id, [log])
  }
}
