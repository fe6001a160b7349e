// When a segment's index files count as whole: only if nothing happened to the segment while they were made durable.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asLogId, asOffset } from '../base/brand.ts'
import { summarizeBatches } from '../records/batch-header.ts'
import { FileCache } from './file-cache.ts'
import { IndexStore } from './index-store.ts'
import { Log } from './log.ts'
import { LogFiles } from './log-files.ts'
import { LogReads } from './log-reads.ts'
import { LogState, type SegmentState } from './log-state.ts'
import { NodeState } from './node-state.ts'
import { SegmentReader } from './segment-reader.ts'
import { SegmentWriter } from './segment-writer.ts'
import { SnapshotFiles } from './snapshots.ts'
import { LogTail, TailCache } from './tail-cache.ts'
import { SMALL_LOG, testBatch } from './testing/batches.ts'
import { World } from './testing/world.ts'

/** A log with one segment of one batch, whose index is in memory. */
async function oneSegment(world: World) {
  const { disk, host, log: logger } = world.env
  const path = '/logs/a'
  await world.do(disk.makeDirectory(path))
  const files = new FileCache(disk, 4)
  const indexes = new IndexStore(disk, files, logger)
  const reader = new SegmentReader(files, indexes)
  const batch = testBatch({ baseOffset: 0, epoch: 1 })
  const state = new LogState({
    incarnation: 1,
    id: asLogId('a'),
    directory: 'a',
    config: SMALL_LOG,
    descriptor: new Uint8Array(),
  })
  const segment: SegmentState = {
    baseOffset: asOffset(0),
    endOffset: asOffset(1),
    bytes: batch.length,
    maxTimestampMs: 1000,
    firstTimestampMs: 1000,
    revision: 0,
    indexed: false,
  }
  state.segments.push(segment)
  const intervalBytes = SMALL_LOG.indexIntervalBytes
  indexes.onWritten(
    { directory: path, base: asOffset(0), intervalBytes },
    0,
    summarizeBatches(batch),
  )
  const ready = async (): Promise<void> => {}
  const log = new Log(state, {
    host: {
      wake() {},
      admit() {},
      queued() {},
      repair: async () => asOffset(0),
      rewrite: async () => undefined,
    },
    path,
    tail: new LogTail(new TailCache(0)),
    reads: new LogReads(reader),
    snapshots: (owner, directory) =>
      new SnapshotFiles({ disk, logger, log: owner, directory, ready }),
    created: true,
  })
  const logFiles = new LogFiles({
    disk,
    host,
    logger,
    files,
    indexes,
    reader,
    writer: new SegmentWriter(disk, files, '/logs'),
    state: new NodeState(),
    logsDirectory: '/logs',
    hooks: { wake() {}, unqueued() {}, noteFull() {}, wrote() {}, durableLsn: () => 0 },
  })
  return { log, logFiles, segment }
}

test('an index counts as whole unless its segment grew, or the log was cut, meanwhile', async () => {
  const cases: readonly (readonly [(log: Log, segment: SegmentState) => void, boolean])[] = [
    [() => {}, true],
    [(_, segment) => (segment.bytes += 100), false],
    // And grew again to what it was.
    [(log) => log.truncations++, false],
  ]
  for (const [meanwhile, whole] of cases) {
    const world = new World()
    const { log, logFiles, segment } = await oneSegment(world)
    world.disk.holds = ({ operation }) => operation === 'syncDirectory'
    const { bytes } = segment
    const sealing = logFiles.sealIndex(log, { base: segment.baseOffset, bytes, scan: false })
    await world.pass(100)
    assert.equal(world.disk.held, 1)
    meanwhile(log, segment)
    world.disk.release()
    await world.do(sealing)
    assert.equal(segment.indexed, whole)
  }
})
