// What the parts of one transport share.

import type { Connection } from '../../env/network.ts'
import type { QuietLog } from '../../env/quiet-log.ts'
import type {
  NodeIdentity,
  TransportCounters,
  TransportHandlers,
  TransportOptions,
} from './transport.ts'

export interface TransportContext {
  readonly env: TransportOptions['env']
  readonly self: NodeIdentity
  readonly secret: Uint8Array | undefined
  readonly frameBytesMax: number
  readonly handlers: TransportHandlers
  readonly quietLog: QuietLog
  readonly counters: { -readonly [K in keyof TransportCounters]: TransportCounters[K] }
  /** Every connection is told here from its start to its `onClose`. */
  opened(connection: Connection): void
  gone(connection: Connection): void
}
