// Numbers that must not be mixed up carry a brand. A 64-bit value becomes a safe integer at the codec's edge and is
// checked there; from then on it is one of these.

declare const brand: unique symbol
export type Brand<T, Name extends string> = T & { readonly [brand]: Name }

/** A Kafka offset in one partition: 0, 1, 2, … */
export type Offset = Brand<number, 'Offset'>
/** Kafka's leader epoch, which is the Raft term of that partition's group. -1 where Kafka has none. */
export type LeaderEpoch = Brand<number, 'LeaderEpoch'>
/** A broker's id (`node.id`). */
export type NodeId = Brand<number, 'NodeId'>
/** Names one replicated log on a node: `<topic id>-<partition>`, or the controller's. */
export type LogId = Brand<string, 'LogId'>

export const asOffset = (value: number): Offset => value as Offset
export const asLeaderEpoch = (value: number): LeaderEpoch => value as LeaderEpoch
export const asNodeId = (value: number): NodeId => value as NodeId
export const asLogId = (value: string): LogId => value as LogId
