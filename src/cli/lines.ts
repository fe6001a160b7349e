// Cuts input into lines, as bytes: what stands between line feeds is nobody's business here.

import { Failure } from './failure.ts'

/** A line is at most so long; beyond it the input is hardly lines. */
const LINE_BYTES_MAX = 64 * 1024 * 1024
const LINE_FEED = 10

/** The lines without their line feeds; the last one need not have one. */
export async function* linesOf(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of input) {
    let from = 0
    for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, from)) {
      const end = chunk.subarray(from, at)
      yield parts.length === 0 ? end : Buffer.concat([...parts, end])
      parts = []
      bytes = 0
      from = at + 1
    }
    if (from === chunk.length) continue
    parts.push(chunk.subarray(from))
    bytes += chunk.length - from
    if (bytes > LINE_BYTES_MAX) throw new Failure(`a line of more than ${LINE_BYTES_MAX} bytes`)
  }
  if (bytes > 0) yield Buffer.concat(parts)
}
