// Test support: a store in a simulated machine with one log of small segments, to be compacted.

import { asLeaderEpoch, asLogId } from '../../base/brand.ts'
import { Simulation } from '../../env/sim/simulation.ts'
import type { SimHost } from '../../env/sim/sim-host.ts'
import * as header from '../../records/batch-header.ts'
import { buildBatch, type BatchOptions } from '../../records/build.ts'
import { openStore } from '../../storage/open-store.ts'
import type { StoredLog } from '../../storage/store.ts'
import { SMALL_STORE } from '../../storage/testing/batches.ts'

const CONFIG = { segmentBytes: 600, segmentMs: 1e12, indexIntervalBytes: 100 }
/** Milliseconds since 1970, by the tests' clock. */
export const COMPACTION_NOW = 1_000_000

export class Machine {
  readonly simulation: Simulation
  readonly host: SimHost

  constructor(seed = 1) {
    this.simulation = new Simulation(seed)
    this.host = this.simulation.host('node')
  }

  do<T>(promise: Promise<T>): Promise<T> {
    return this.simulation.settle(promise, { withinMs: 60_000 })
  }

  async open(): Promise<StoredLog> {
    const options = { ...SMALL_STORE, directory: '/data', writebackBytes: 300, directBytesMin: 300 }
    const store = await this.do(openStore(this.host.boot(), options))
    const id = asLogId('a')
    this.flush = () => this.do(store.flush())
    const existing = store.get(id)
    if (existing !== undefined) return existing
    const log = store.create(id, { directory: 'a', config: CONFIG })
    log.startEpoch(asLeaderEpoch(1))
    return log
  }

  flush: () => Promise<void> = () => Promise.resolve()

  /** All written, in segments. */
  async settle(): Promise<void> {
    await this.flush()
    await this.simulation.run({ untilMs: this.simulation.nowMs + 300 })
    await this.flush()
  }
}

export interface Entry {
  readonly key: string | null
  /** Null: a tombstone. */
  readonly value: string | null
  readonly timestampMs?: number
}

export function append(
  log: StoredLog,
  entries: readonly Entry[],
  options: BatchOptions = {},
): void {
  const bytes = buildBatch(
    entries.map(({ key, value, timestampMs = COMPACTION_NOW }) => ({
      key: key === null ? null : Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
      timestampMs,
    })),
    options,
  )
  log.append(bytes, header.stampBatches(bytes, log.end.offset, log.end.epoch))
}

export const value = (i: number): string => `value ${i} `.padEnd(150, '.')

/** Puts what was written into sealed segments: the last one is never compacted. */
export async function seal(machine: Machine, log: StoredLog): Promise<void> {
  append(log, [{ key: 'last', value: 'x'.repeat(700) }])
  await machine.settle()
  append(log, [{ key: 'active', value: 'x'.repeat(700) }])
  await machine.settle()
}
