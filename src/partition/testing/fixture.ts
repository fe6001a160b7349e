// Test support: a partition over a double of its log, and batches as producers send them.

import { resolveTopicConfigs } from '../../base/config/resolve.ts'
import type { TopicConfigs } from '../../base/config/topic-configs.ts'
import type { Logger } from '../../env/env.ts'
import { Limiter } from '../../env/limiter.ts'
import { buildBatch, type BatchOptions } from '../../records/build.ts'
import type { ReplicatedLog } from '../../replicated/replicated-log.ts'
import { ReplicatedLogDouble } from '../../replicated/testing/double.ts'
import { Partition } from '../partition.ts'

export const NOW_MS = 1_700_000_000_000

export class TestClock {
  ms = NOW_MS
  /** How far the time of day was put forward. */
  jumpedMs = 0
  nowMs(): number {
    return this.ms + this.jumpedMs
  }
  monotonicMs(): number {
    return this.ms
  }
}

/** Collects warnings and errors. */
export class TestLog implements Logger {
  readonly lines: string[] = []
  debug(): void {}
  info(): void {}
  warn(message: string): void {
    this.lines.push(message)
  }
  error(message: string): void {
    this.lines.push(message)
  }
  child(): Logger {
    return this
  }
}

export function configWith(changes: Partial<TopicConfigs> = {}): TopicConfigs {
  return { ...resolveTopicConfigs({ staticBroker: new Map() }), ...changes }
}

export function fixture<Log extends ReplicatedLog = ReplicatedLogDouble>(
  options: {
    readonly log?: Log
    readonly config?: Partial<TopicConfigs>
    readonly rebuilds?: Limiter
  } = {},
) {
  const log = options.log ?? (new ReplicatedLogDouble() as ReplicatedLog as Log)
  const clock = new TestClock()
  const logger = new TestLog()
  const partition = new Partition({
    topic: 'topic',
    topicId: 'AAAAAAAAAAAAAAAAAAAAAQ',
    index: 0,
    log,
    config: configWith(options.config),
    env: { clock, log: logger },
    rebuilds: options.rebuilds ?? new Limiter(1),
  })
  return { log, clock, logger, partition }
}

/** A batch of `values`, one record each, at the test's time. */
export function batchOf(
  values: readonly string[],
  options: BatchOptions & { readonly timestampsMs?: readonly number[] } = {},
): Uint8Array {
  return buildBatch(
    values.map((value, i) => ({
      key: null,
      value: new TextEncoder().encode(value),
      timestampMs: options.timestampsMs?.[i] ?? NOW_MS,
    })),
    options,
  )
}

/** As a producer with acks=all sends it. */
export function request(records: Uint8Array | null) {
  return { records, acks: -1, inSyncReplicas: 1, zstdAllowed: true }
}
