// The part of recovery that makes the segment files match the final state: what does not count goes, what counts must be
// there. It looks into a segment only to find how much of it is left where it is too short: the journal alone says where a
// log ends (law R3).

import type { Disk } from '../env/disk.ts'
import { unlinkIfThere } from './files.ts'
import { findDamage, type SegmentDamage } from './find-damage.ts'
import { listIfThere } from './log-files.ts'
import type { LogState, SegmentState } from './log-state.ts'
import type { NodeState } from './node-state.ts'
import type { StoreEnv } from './options.ts'
import { parseSegmentFile, parseSwapFile, segmentFile } from './segment-files.ts'

const DIRECTORIES_AT_ONCE = 8

/** Returns what the logs' files lack, by incarnation. */
export async function matchFiles(
  env: StoreEnv,
  logsDirectory: string,
  state: NodeState,
): Promise<Map<number, SegmentDamage[]>> {
  const { disk } = env
  const damaged = new Map<number, SegmentDamage[]>()
  const byDirectory = new Map<string, LogState>()
  for (const log of state.logs.values()) byDirectory.set(log.directory, log)
  const present = await disk.list(logsDirectory)
  const names = new Set(present.map((entry) => entry.name))
  await inParallel([...names], async (name) => {
    const log = byDirectory.get(name)
    if (log !== undefined) {
      const damage = await matchLog(disk, `${logsDirectory}/${name}`, log)
      if (damage.length > 0) damaged.set(log.incarnation, damage)
      return
    }
    await removeFolder(disk, `${logsDirectory}/${name}`)
  })
  for (const log of state.logs.values()) {
    if (names.has(log.directory) || log.segments.length === 0) continue
    damaged.set(log.incarnation, log.segments.map(missing))
  }
  for (const [incarnation, ranges] of damaged) {
    const { id, directory } = state.logs.get(incarnation)!
    for (const { from, to } of ranges)
      env.log.error('a log is damaged', { id, directory, from, to })
  }
  return damaged
}

async function matchLog(disk: Disk, path: string, log: LogState): Promise<SegmentDamage[]> {
  const segments = new Map(log.segments.map((segment) => [segment.baseOffset, segment]))
  const damage: SegmentDamage[] = []
  const seen = new Set<number>()
  await finishSwaps(disk, path, log)
  for (const { name } of await disk.list(path)) {
    const parsed = parseSegmentFile(name)
    if (parsed === undefined) continue
    const segment = segments.get(parsed.base)
    if (segment === undefined) {
      await unlinkIfThere(disk, `${path}/${name}`)
      continue
    }
    if (parsed.kind !== 'log') {
      if (!segment.indexed) await unlinkIfThere(disk, `${path}/${name}`)
      continue
    }
    seen.add(parsed.base)
    const bytes = (await disk.stat(`${path}/${name}`))?.bytes ?? 0
    if (bytes < segment.bytes) {
      damage.push(...(await shortened(disk, path, log, segment)))
    }
    if (bytes > segment.bytes) await cut(disk, path, segment.baseOffset, segment.bytes)
  }
  for (const segment of segments.values()) {
    if (!seen.has(segment.baseOffset)) damage.push(missing(segment))
  }
  return damage
}

/**
 * Where a replacement counts, its file takes its place, which is durable before anything relies on it: the last process may
 * have died before it was. Every other swap file counts for nothing.
 */
async function finishSwaps(disk: Disk, path: string, log: LogState): Promise<void> {
  for (const { name } of await disk.list(path)) {
    const swap = parseSwapFile(name)
    if (swap === undefined) continue
    const counts = log.segments.some(
      ({ baseOffset, revision }) => baseOffset === swap.base && revision === swap.revision,
    )
    if (counts) await disk.rename(`${path}/${name}`, segmentFile(path, swap.base, 'log'))
    else await unlinkIfThere(disk, `${path}/${name}`)
  }
  if (log.segments.some(({ revision }) => revision > 0)) await disk.syncDirectory(path)
}

function missing({ baseOffset, endOffset, bytes }: SegmentState): SegmentDamage {
  const [from, to] = [baseOffset, endOffset]
  return { segment: baseOffset, from, to, position: 0, endPosition: bytes }
}

async function shortened(
  disk: Disk,
  path: string,
  log: LogState,
  segment: SegmentState,
): Promise<SegmentDamage[]> {
  const { baseOffset: base, endOffset: end, bytes } = segment
  const file = await disk.open(segmentFile(path, base, 'log'), 'read')
  try {
    const damage = await findDamage(file, {
      base,
      end,
      bytes,
      epochAt: (offset) => (offset < log.logStart ? undefined : log.epochs.epochAt(offset)),
    })
    return damage === undefined ? [] : [damage]
  } finally {
    await file.close()
  }
}

async function cut(
  disk: Disk,
  path: string,
  base: LogState['endOffset'],
  bytes: number,
): Promise<void> {
  const file = await disk.open(segmentFile(path, base, 'log'), 'write')
  try {
    await file.truncate(bytes)
  } finally {
    await file.close()
  }
}

async function removeFolder(disk: Disk, path: string): Promise<void> {
  for (const name of (await listIfThere(disk, path)) ?? [])
    await unlinkIfThere(disk, `${path}/${name}`)
  await disk.removeDirectory(path)
}

async function inParallel<T>(items: readonly T[], body: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values()
  const worker = async (): Promise<void> => {
    for (const item of queue) await body(item)
  }
  await Promise.all(Array.from({ length: DIRECTORIES_AT_ONCE }, worker))
}
