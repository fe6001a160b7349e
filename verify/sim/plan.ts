// What one seed will do: its clients and its faults, drawn before anything runs, so that leaving out one fault leaves the
// others as they were.

import type { Prng } from '../../src/env/sim/prng.ts'
import type { Codec } from '../../src/records/codecs.ts'
import { CODECS } from '../../src/records/codecs.ts'
import type { StoreOptions } from '../../src/storage/options.ts'
import {
  CLUSTER_FAULTS,
  type ClusterFaultName,
  DAMAGE_FAULTS,
  type DamageFaultName,
} from './cluster-faults.ts'

/** `full`: 30 virtual seconds. `short`: 5. */
export type Mode = 'full' | 'short'

/** Of one node; each strikes a random one. */
export const FAULTS = [
  /** The process ends; the page cache stays. */
  'kill',
  /** What was not synced may be lost. */
  'power-cut',
  /** Killed at some step of the disk. */
  'kill-at-step',
  /** Power cut at some step of the disk. */
  'cut-at-step',
  /** Killed, and then the power fails, before or during the recovery. */
  'kill-then-cut',
  /** Crash after crash, each during the recovery from the one before. */
  'crash-loop',
  /** Nothing of the disk moves. */
  'disk-stall',
  'disk-full',
  /** An fsync fails, which must end the process. */
  'sync-error',
  /** Connections end in mid-frame. */
  'reset',
  'slow-link',
  /** Requests arrive, answers don't, or the other way round. */
  'one-way',
  'clock-jump',
  /** A client ends without a word, and another takes its place. */
  'client-crash',
] as const
export type FaultName = (typeof FAULTS)[number]
export type SomeFaultName = FaultName | ClusterFaultName | DamageFaultName
const ALL_FAULTS: readonly SomeFaultName[] = [...FAULTS, ...CLUSTER_FAULTS]

/** What a planted error takes to show, where most seeds don't have it. */
export interface Conditions {
  /** The faults are drawn from these, and there are some. */
  readonly faults?: readonly SomeFaultName[]
  /** These, in the place of what the seed draws. */
  readonly damages?: readonly DamageFaultName[]
  /** Whom these strike. */
  readonly victim?: number
  /** Of the disks of all nodes. */
  readonly syncSlowness?: number
}

export interface PlannedFault {
  readonly index: number
  readonly name: SomeFaultName
  readonly atMs: number
}

export interface ProducerPlan {
  readonly acks: 'all' | 1 | 0
  readonly idempotent: boolean
  readonly codec: Codec
  /** Operations that run at the same time. */
  readonly lanes: number
  readonly pauseMs: number
  /** How often a record is large enough for its batch to go straight to the segment. */
  readonly largeShare: number
  readonly lingerMs: number
}

export interface Plan {
  readonly mode: Mode
  readonly nodes: number
  /** By node: how many times as long as a fast disk's its syncs take. */
  readonly syncSlowness: readonly number[]
  /** How long faults and clients work against each other. */
  readonly durationMs: number
  readonly faults: readonly PlannedFault[]
  /** The only node that may lose data for good; every topic has replicas on others then. */
  readonly victim: number | undefined
  readonly producers: readonly ProducerPlan[]
  readonly readers: number
  readonly members: number
  readonly partitions: number
  readonly segmentBytes: number
  /** So that replicas that are behind are installed with the metadata. */
  readonly metadataSnapshotRecords: number
  /** How often logs are compacted that are to be. */
  readonly compactionMs: number
  readonly storage: Partial<Omit<StoreOptions, 'directory'>>
  /** The power fails once more before everything is read, so that nothing counts that was not durable. */
  readonly lastCut: boolean
  /** A clean stop and a start before the last reading. */
  readonly lastStop: boolean
}

/** Mostly three. */
const NODES = [1, 3, 3, 3, 3, 3, 3, 5] as const
const KIB = 1024

export function makePlan(
  chance: Prng,
  mode: Mode,
  wanted?: number,
  conditions: Conditions = {},
): Plan {
  const nodes = wanted ?? chance.split('nodes').pick(NODES)
  const full = mode === 'full'
  const durationMs = durationMsOf(full)
  const others = planFaults(chance.split('faults'), nodes, full, conditions.faults)
  const damages = planDamages(chance.split('damage'), nodes, full, others.length, conditions)
  const faults = [...others, ...damages]
  const drawn = chance.split('victim').between(1, nodes)
  const producers = [
    planProducer(chance, { acks: 'all', idempotent: true }, full),
    planProducer(chance, { acks: 'all', idempotent: true }, full),
    planProducer(chance, { acks: chance.pick(['all', 1]), idempotent: false }, full),
    ...(chance.chance(0.5) ? [planProducer(chance, { acks: 0, idempotent: false }, full)] : []),
  ]
  return {
    mode,
    nodes,
    syncSlowness: planDisks(chance.split('disks'), nodes, conditions.syncSlowness),
    durationMs,
    faults,
    victim: damages.length === 0 ? undefined : (conditions.victim ?? drawn),
    producers: producers.map((one) => ({ ...one, pauseMs: one.pauseMs * (nodes > 1 ? 2 : 1) })),
    readers: chance.between(1, 2),
    members: chance.between(1, 3),
    partitions: chance.between(1, 4),
    segmentBytes: chance.pick([8 * KIB, 32 * KIB, 128 * KIB, 1024 * KIB]),
    metadataSnapshotRecords: chance.split('snapshots').pick([2, 5, 20, 100, 50_000]),
    compactionMs: chance.split('compaction').pick([50, 300, 300, 2_000]),
    storage: planStorage(chance),
    lastCut: chance.chance(0.6),
    lastStop: chance.chance(0.3),
  }
}

const durationMsOf = (full: boolean): number => (full ? 30_000 : 5_000)

/** Each seed has its own kinds and rates; some have none, to show that what is found is not the faults' doing. */
function planFaults(
  chance: Prng,
  nodes: number,
  full: boolean,
  only?: readonly SomeFaultName[],
): PlannedFault[] {
  const all = only ?? (nodes > 1 ? ALL_FAULTS : FAULTS)
  if (chance.chance(0.08) && only === undefined) return []
  const count = full ? chance.between(5, 30) : chance.between(1, 8)
  const kinds = chance.between(1, FAULTS.length)
  const pool = Array.from({ length: kinds }, () => chance.pick(all))
  return Array.from({ length: count }, () => ({
    name: chance.pick(pool),
    atMs: chance.between(50, durationMsOf(full) - 500),
  }))
    .toSorted((a, b) => a.atMs - b.atMs)
    .map((fault, index) => ({ ...fault, index }))
}

/** In some of the seeds that have faults at all. */
function planDamages(
  chance: Prng,
  nodes: number,
  full: boolean,
  from: number,
  { damages }: Conditions,
): PlannedFault[] {
  if (damages === undefined && (nodes === 1 || from === 0 || !chance.chance(0.3))) return []
  const names = [chance.pick(DAMAGE_FAULTS), ...(chance.chance(0.5) ? ['bit-flip' as const] : [])]
  return (damages ?? names).map((name, i) => {
    return { name, atMs: chance.between(500, durationMsOf(full) - 500), index: from + i }
  })
}

function planProducer(
  chance: Prng,
  kind: Pick<ProducerPlan, 'acks' | 'idempotent'>,
  full: boolean,
): ProducerPlan {
  return {
    ...kind,
    codec: chance.pick([...CODECS, 'none', 'none', 'none']),
    lanes: kind.idempotent ? chance.between(1, 5) : 1,
    pauseMs: full ? chance.between(50, 300) : chance.between(10, 80),
    largeShare: chance.pick([0, 0.02, 0.1]),
    lingerMs: chance.pick([0, 0, 5]),
  }
}

/** The slower a disk, the longer it is between what is written and what is safe. */
function planDisks(chance: Prng, nodes: number, all = chance.pick([1, 1, 10, 60])): number[] {
  return Array.from({ length: nodes }, () =>
    nodes === 1 ? 1 : chance.chance(0.2) ? chance.pick([1, 20, 100]) : all,
  )
}

/** Small enough that files are rolled, recycled and written back all the time. */
function planStorage(chance: Prng): Plan['storage'] {
  const journalFileBytes = chance.pick([128, 256, 512]) * KIB
  return {
    journalFileBytes,
    journalFirstFileBytes: chance.pick([64 * KIB, journalFileBytes]),
    journalBytesMax: Math.max(8 * journalFileBytes, 2048 * KIB),
    directBytesMin: chance.pick([8, 64, 64]) * KIB,
    groupBytesMax: chance.pick([32, 256, 4096]) * KIB,
    copyForwardBytesMax: chance.pick([1, 16, 64]) * KIB,
    writebackBytes: chance.pick([8, 64, 1024]) * KIB,
    freeBytesMin: 1024 * KIB,
    probeMs: 200,
    idleWritebackMs: chance.pick([200, 2_000, 10_000]),
  }
}
