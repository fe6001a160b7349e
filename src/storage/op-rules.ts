// What the committer must know of each kind of change: whether files follow it, how much of a frame it takes, whether it
// still counts.

import { RECORD_BYTES_MAX } from './journal-record.ts'
import type { Log } from './log.ts'
import type { LogOp, ReplaceOp } from './log-op.ts'

/** Id and folder of a log, encoded. */
const NAME_BYTES_MAX = 1024
const EPOCH_BYTES = 12

/** Which operations wait for whoever works on the log's files, and are followed by work on them. */
export const FILES_FOLLOW: { readonly [K in LogOp['kind']]: boolean } = {
  create: false,
  append: false,
  'epoch-start': false,
  truncate: true,
  install: true,
  'log-start': true,
  replace: true,
  drop: true,
  marker: false,
}

/** Whether the segments that a replacement was made from are still those of the log. */
export function isAsItWas(log: Log, op: ReplaceOp): boolean {
  const from = log.state.segments.findIndex((one) => one.baseOffset === op.replaced[0]?.baseOffset)
  return op.replaced.every((was, i) => {
    const is = log.state.segments[from + i]
    return (
      is?.baseOffset === was.baseOffset &&
      is.endOffset === was.endOffset &&
      is.bytes === was.bytes &&
      is.revision === was.revision
    )
  })
}

/** What of the log goes into one frame with a truncation at its queue's front: bytes of records and of data. */
export function compoundBytes(log: Log): [number, number] {
  let meta = 0
  let data = 0
  for (const op of log.queue) {
    const bytes = opBytes(log, op)
    meta += bytes[0]
    data += bytes[1]
  }
  return [meta, data]
}

/** What an operation takes at most in a frame: bytes of records and of data. */
export function opBytes(log: Log, op: LogOp): [number, number] {
  switch (op.kind) {
    case 'append':
      return [RECORD_BYTES_MAX, op.piece.bytes]
    case 'create':
      return [RECORD_BYTES_MAX + NAME_BYTES_MAX + log.descriptor.length, 0]
    case 'install':
      return [RECORD_BYTES_MAX + EPOCH_BYTES * op.to.epochs.length, 0]
    default:
      return [RECORD_BYTES_MAX, 0]
  }
}
