// What clients did and what they were told: the history that the checkers read. It knows nothing of how it came about, so
// that the simulator and runs against real processes share the checkers. Topics are named by incarnation: a topic that was
// deleted and created again is another one (`orders#2`).

/**
 * `ok`: the client received success. `fail`: certainly not done. `indeterminate`: it may have been done, or may still be.
 */
export type Outcome = 'ok' | 'fail' | 'indeterminate'

export interface PartitionName {
  readonly topic: string
  readonly partition: number
}

/** One order over all events of a run: an operation that completed before another was invoked has the smaller number. */
export interface Span {
  readonly process: string
  readonly invoked: number
  /** Infinity: it never completed. */
  readonly completed: number
  readonly invokedMs: number
}

export interface SentRecord extends PartitionName {
  /** Unique in the history. */
  readonly value: string
  /** Of the whole content, where the recorder knows it. */
  readonly crc?: number
  readonly outcome: Outcome
  /** -1 where the broker did not say. */
  readonly offset: number
}

export interface ReadRecord extends PartitionName {
  readonly offset: number
  readonly value: string
  readonly crc?: number
  readonly producerId?: number
}

export interface Produce extends Span {
  readonly kind: 'produce'
  readonly acks: 'all' | 1 | 0
  /** A retry never writes twice. */
  readonly idempotent: boolean
  /** Records of one partition are written in the order in which they were given, whatever is retried. */
  readonly ordered: boolean
  readonly records: readonly SentRecord[]
}

export interface Poll extends Span {
  readonly kind: 'poll'
  /** A member of this group, whose assignment may change between polls. */
  readonly group?: string
  readonly records: readonly ReadRecord[]
}

/** From here on the process reads from these places; anything before it in the process says nothing about what follows. */
export interface Assign extends Span {
  readonly kind: 'assign'
  readonly positions: readonly (PartitionName & {
    /** Undefined: a place that the broker chooses. */
    readonly from: number | undefined
  })[]
}

/** A group's committed offsets were written. */
export interface Commit extends Span {
  readonly kind: 'commit'
  readonly group: string
  /** The client may have sent it more than once, so that an earlier try may still take effect later. */
  readonly retried: boolean
  readonly outcome: Outcome
  readonly positions: readonly (PartitionName & { readonly offset: number })[]
}

/** A group's committed offsets were read; -1: none. */
export interface Committed extends Span {
  readonly kind: 'committed'
  readonly group: string
  readonly positions: readonly (PartitionName & { readonly offset: number })[]
}

/** Records below `offset` are to go: DeleteRecords. Infinity: all that were committed. */
export interface Trim extends Span, PartitionName {
  readonly kind: 'trim'
  readonly offset: number
  readonly outcome: Outcome
  /** As answered; -1 unless ok. */
  readonly logStart: number
}

/** From here on records may expire by retention. */
export interface Expiring extends Span {
  readonly kind: 'expiring'
  readonly topic: string
}

/** A setting was written, or seen: anything that holds one value at a time, such as whether a topic exists. */
export interface RegisterWrite extends Span {
  readonly kind: 'write'
  readonly register: string
  readonly value: string
  readonly retried: boolean
  readonly outcome: Outcome
}
export interface RegisterRead extends Span {
  readonly kind: 'read'
  readonly register: string
  readonly value: string
  /** Of a replica that may lag: any value that was there before may be found. */
  readonly stale?: boolean
}

/** A topic was deleted (or may have been): what it held is no longer owed. */
export interface DeleteTopic extends Span {
  readonly kind: 'delete'
  readonly topic: string
  readonly outcome: Outcome
}

/** The topics that a listing named. */
export interface ListTopics extends Span {
  readonly kind: 'list'
  readonly topics: readonly string[]
  /** Of a replica that may lag. */
  readonly stale?: boolean
}

/** The high watermark that a client was told. */
export interface End extends Span, PartitionName {
  readonly kind: 'end'
  readonly highWatermark: number
}

/** Whole batches as they were served. */
export interface Bytes extends Span, PartitionName {
  readonly kind: 'bytes'
  readonly batches: readonly {
    readonly offset: number
    readonly last: number
    /** Of every byte of the batch, its head included. */
    readonly crc: number
  }[]
}

/** A producer id was given out. */
export interface Identity extends Span {
  readonly kind: 'identity'
  readonly producerId: number
  readonly producerEpoch: number
}

/** The whole log, read by a fresh consumer after everything was healed and had settled. */
export interface Final extends Span, PartitionName {
  readonly kind: 'final'
  readonly logStart: number
  readonly highWatermark: number
  readonly records: readonly ReadRecord[]
}

export type Operation =
  | Produce
  | Poll
  | Assign
  | Commit
  | Committed
  | Trim
  | Expiring
  | RegisterWrite
  | RegisterRead
  | DeleteTopic
  | ListTopics
  | End
  | Bytes
  | Identity
  | Final

/** In order of invocation. */
export type History = readonly Operation[]

export function nameOf({ topic, partition }: PartitionName): string {
  return `${topic}-${partition}`
}
