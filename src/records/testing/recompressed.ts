// Test support: a batch that a test has in one codec, in another.

import * as header from '../batch-header.ts'
import { sealBatch } from '../build.ts'
import {
  codecId,
  codecOf,
  compress,
  decompress,
  UNCOMPRESSED_BYTES_MAX,
  type Codec,
} from '../codecs.ts'
import { BadBatchError } from '../read.ts'

/**
 * The batch at `at` with its records in another codec: a new batch, the rest of the header kept. The batch must have been
 * validated. `level` as in `compress`. Throws BadBatchError if it does not decompress after all.
 */
export function recompressed(
  bytes: Uint8Array,
  at: number,
  codec: Codec,
  options: { readonly level?: number; readonly uncompressedBytesMax?: number } = {},
): Uint8Array {
  const from = codecOf(header.codecIdAt(bytes, at))
  const end = at + header.batchBytesAt(bytes, at)
  if (from === codec) return bytes.slice(at, end)
  if (from === undefined) throw new BadBatchError(`codec ${header.codecIdAt(bytes, at)}`)
  const payload = decompress(
    from,
    bytes.subarray(at + header.BATCH_HEADER_BYTES, end),
    options.uncompressedBytesMax ?? UNCOMPRESSED_BYTES_MAX,
  )
  if (payload.kind !== 'ok') throw new BadBatchError(payload.message)
  const head = bytes.slice(at, at + header.BATCH_HEADER_BYTES)
  const attributes = header.attributesAt(head, 0)
  header.putInt16(head, header.ATTRIBUTES_AT, (attributes & ~header.CODEC_MASK) | codecId(codec))
  return sealBatch(head, compress(codec, payload.bytes, options.level))
}
