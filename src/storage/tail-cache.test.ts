import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { asOffset } from '../base/brand.ts'
import { BATCH_HEADER_BYTES } from '../records/batch-header.ts'
import type { BatchSummary } from './store.ts'
import { LogTail, TailCache } from './tail-cache.ts'

type Step =
  | { readonly kind: 'append'; readonly counts: readonly number[] }
  | { readonly kind: 'clean'; readonly share: number }
  | { readonly kind: 'truncate'; readonly share: number }
  | { readonly kind: 'read'; readonly share: number; readonly maxBytes: number }

const share = fc.double({ min: 0, max: 1, noNaN: true })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 })
      .map((counts) => ({ kind: 'append' as const, counts })),
  },
  { weight: 2, arbitrary: share.map((value) => ({ kind: 'clean' as const, share: value })) },
  { weight: 1, arbitrary: share.map((value) => ({ kind: 'truncate' as const, share: value })) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(share, fc.nat(1000))
      .map(([value, maxBytes]) => ({ kind: 'read' as const, share: value, maxBytes })),
  },
)

interface ModelBatch extends BatchSummary {
  readonly data: Uint8Array
}

/** One log in the cache beside an array of its batches. */
class Pair {
  readonly tail: LogTail
  batches: ModelBatch[] = []
  /** Below it everything is in a file. */
  cleanTo = 0
  #fill = 0

  constructor(cache: TailCache) {
    this.tail = new LogTail(cache)
  }

  get end(): number {
    return (this.batches.at(-1)?.lastOffset ?? -1) + 1
  }

  append(counts: readonly number[]): void {
    const added = counts.map((count): ModelBatch => {
      const baseOffset = asOffset(this.end)
      const bytes = BATCH_HEADER_BYTES + count
      const data = new Uint8Array(bytes).fill(++this.#fill)
      const view = new DataView(data.buffer)
      view.setBigInt64(0, BigInt(baseOffset)) // the fields of a batch that a tail looks at
      view.setInt32(8, bytes - 12)
      view.setInt32(23, count - 1)
      view.setBigInt64(35, BigInt(count))
      const batch = {
        baseOffset,
        lastOffset: asOffset(baseOffset + count - 1),
        bytes,
        maxTimestampMs: count,
        data,
      }
      this.batches.push(batch)
      return batch
    })
    this.tail.append(Buffer.concat(added.map((batch) => batch.data)), added)
  }

  border(part: number): number {
    const borders = [0, ...this.batches.map((batch) => batch.lastOffset + 1)]
    return borders[Math.min(borders.length - 1, Math.floor(part * borders.length))]!
  }

  truncate(to: number): void {
    this.batches = this.batches.filter((batch) => batch.baseOffset < to)
    this.cleanTo = Math.min(this.cleanTo, to)
    this.tail.truncate(asOffset(to))
  }

  read(from: number, maxBytes: number): void {
    const request = { from: asOffset(from), below: asOffset(this.end), maxBytes }
    const answer = this.tail.read(request)
    if (answer === undefined) {
      assert.ok(from < this.cleanTo, `offset ${from} is in no file, nor in memory`)
      return
    }
    const expected: Uint8Array[] = []
    let bytes = 0
    for (const batch of this.batches.filter((each) => each.lastOffset >= from)) {
      if (expected.length > 0 && bytes + batch.bytes > maxBytes) break
      expected.push(batch.data)
      bytes += batch.bytes
    }
    assert.deepEqual(Buffer.concat(answer.chunks), Buffer.concat(expected))
    assert.equal(answer.bytes, bytes)
  }
}

test('reads give what was appended; only what is in a file is ever evicted; the bound holds', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(2), step), { maxLength: 120 }),
      fc.nat(8000),
      (steps, bound) => {
        const cache = new TailCache(bound)
        const pairs = [new Pair(cache), new Pair(cache), new Pair(cache)]
        for (const [which, each] of steps) {
          const pair = pairs[which]!
          if (each.kind === 'append') pair.append(each.counts)
          else if (each.kind === 'truncate') pair.truncate(pair.border(each.share))
          else if (each.kind === 'clean') {
            const to = Math.max(pair.cleanTo, pair.border(each.share))
            pair.cleanTo = to
            pair.tail.markClean(asOffset(to))
          } else if (pair.end > 0) {
            pair.read(Math.min(pair.end - 1, Math.floor(each.share * pair.end)), each.maxBytes)
          }
          assert.ok(cache.bytes - cache.heldBytes <= bound)
        }
        for (const pair of pairs) pair.tail.clear()
        assert.equal(cache.bytes, 0, 'what is gone is not counted')
      },
    ),
    { numRuns: 300 },
  )
})

test('small chunks are joined once they are clean, and cost little more than their bytes', () => {
  const cache = new TailCache(1 << 20)
  const pair = new Pair(cache)
  for (let i = 0; i < 2_000; i++) pair.append([1])
  const bytes = pair.batches.reduce((sum, batch) => sum + batch.bytes, 0)
  assert.ok(cache.bytes > 5 * bytes, 'each of them is an object with buffers')
  pair.tail.markClean(asOffset(1_999))
  assert.ok(cache.heldBytes > 0, 'the last one is not clean')
  assert.ok(cache.bytes < 1.2 * bytes, `${cache.bytes} bytes for ${bytes}`)
  for (const from of [0, 1, 777, 1_998, 1_999]) pair.read(from, 5_000)
})
