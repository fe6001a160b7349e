// The part of recovery that makes the segment files match the final state: what does not count goes, what counts must be
// there. It never looks into a segment: the journal alone says where a log ends (law R3).

import type { Disk } from '../env/disk.ts'
import { unlinkIfThere } from './files.ts'
import { listIfThere } from './log-files.ts'
import type { LogState } from './log-state.ts'
import type { NodeState } from './node-state.ts'
import type { StoreEnv } from './options.ts'
import { parseSegmentFile, segmentFile } from './segment-files.ts'

const DIRECTORIES_AT_ONCE = 8

/** Returns the logs whose files lack something, by incarnation, and what. */
export async function matchFiles(
  env: StoreEnv,
  logsDirectory: string,
  state: NodeState,
): Promise<Map<number, string>> {
  const { disk } = env
  const damaged = new Map<number, string>()
  const byDirectory = new Map<string, LogState>()
  for (const log of state.logs.values()) byDirectory.set(log.directory, log)
  const present = await disk.list(logsDirectory)
  const names = new Set(present.map((entry) => entry.name))
  await inParallel([...names], async (name) => {
    const log = byDirectory.get(name)
    if (log !== undefined) {
      const damage = await matchLog(disk, `${logsDirectory}/${name}`, log)
      if (damage !== undefined) damaged.set(log.incarnation, damage)
      return
    }
    await removeFolder(disk, `${logsDirectory}/${name}`)
  })
  for (const log of state.logs.values()) {
    if (names.has(log.directory) || log.segments.length === 0) continue
    damaged.set(log.incarnation, `the folder ${log.directory} is missing`)
  }
  for (const why of damaged.values()) env.log.error('a log is damaged', { why })
  return damaged
}

async function matchLog(disk: Disk, path: string, log: LogState): Promise<string | undefined> {
  const segments = new Map(log.segments.map((segment) => [segment.baseOffset, segment]))
  let damage: string | undefined
  const seen = new Set<number>()
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
      damage = `${name} of ${log.directory} has ${bytes} bytes, ${segment.bytes} are recorded`
    }
    if (bytes > segment.bytes) await cut(disk, path, segment.baseOffset, segment.bytes)
  }
  for (const base of segments.keys()) {
    if (!seen.has(base)) damage = `the segment at offset ${base} of ${log.directory} is missing`
  }
  return damage
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
