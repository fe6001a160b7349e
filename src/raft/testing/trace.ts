// Messages and operations as a person reads them: (epoch, offset) for positions, M2@5 for the start of epoch 2 at offset 5,
// [5 9) for batches.

import type { EpochStart } from '../../base/epoch-table.ts'
import type { Message } from '../messages.ts'
import type { JournalOp, TestBatch } from './disk-model.ts'
import { show } from './invariants.ts'

export function showMessage(message: Message<TestBatch>): string {
  switch (message.kind) {
    case 'pre-vote':
    case 'vote':
      return `${message.kind} ${message.term} by ${show(message.end)}`
    case 'pre-vote-reply':
      return `pre-vote ${message.forTerm} ${message.granted ? 'granted' : `refused in ${message.term}`}`
    case 'vote-grant':
      return `vote granted in ${message.term}${message.logStart > 0 ? `, log start ${message.logStart}` : ''}`
    case 'append':
      return [
        `append ${message.term} after ${show(message.prev)}:`,
        ...message.starts.map(showStart),
        ...(message.batches.length > 0 ? [showBatches(message.batches)] : []),
        `commit ${show(message.commit)}`,
        ...(message.logStart > 0 ? [`log start ${message.logStart}`] : []),
        ...(message.round > 0 ? [`round ${message.round}`] : []),
        ...(message.probe ? ['?'] : []),
      ].join(' ')
    case 'ack':
      return [
        `ack ${message.term}: durable ${show(message.durable)}, accepted ${show(message.accepted)}`,
        ...(message.logStart > 0 ? [`log start ${message.logStart}`] : []),
        ...(message.round > 0 ? [`round ${message.round}`] : []),
        ...(message.suspect ? ['suspect'] : []),
        ...(message.begunBelow > 0 ? [`begun below ${message.begunBelow}`] : []),
      ].join(', ')
    case 'mismatch': {
      const epochs = message.epochs.map(showStart).join(' ')
      return `mismatch ${message.term} at ${show(message.prev)}: ${epochs} to ${show(message.end)}`
    }
    case 'install':
      return [
        `install ${message.term} at ${message.logStart}: ${message.epochs.map(showStart).join(' ')}`,
        ...(message.tombstonesRemovedBelow > 0
          ? [
              `unless ${show(message.keep)} is held: no tombstones below ${message.tombstonesRemovedBelow}`,
            ]
          : []),
      ].join(', ')
    case 'clear':
      return `clear ${message.term} at ${show(message.at)}`
    case 'vote-refusal':
    case 'deferred':
    case 'timeout-now':
    case 'higher-term':
      return `${message.kind} ${message.term}`
  }
}

export function showOperation(op: JournalOp): string {
  switch (op.kind) {
    case 'hard-state': {
      const { term, votedFor, suspect } = op.state
      return `term ${term}, vote ${votedFor ?? 'none'}${suspect ? ', suspect' : ''}`
    }
    case 'start-epoch':
      return `M${op.epoch}`
    case 'append':
      return `append ${showBatches(op.batches)}`
    case 'truncate':
      return `truncate to ${show(op.to)}`
    case 'install':
      return `install at ${op.logStart}: ${op.epochs.map(showStart).join(' ')}`
    case 'advance-log-start':
      return `log start ${op.offset}`
  }
}

const showStart = ({ epoch, start }: EpochStart): string => `M${epoch}@${start}`

const showBatches = (batches: readonly TestBatch[]): string =>
  `[${batches[0]!.baseOffset} ${batches.at(-1)!.nextOffset})`
