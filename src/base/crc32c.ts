// CRC-32C (Castagnoli), the checksum of Kafka's record batches and of every file format of ours. Long inputs go to the
// native module, short ones to a table-driven loop ("slicing by 8"), which is faster than the call below some 300 bytes
// and is the fallback where the native module can't be loaded.

import { createRequire } from 'node:module'

type NativeCrc32c = (bytes: Uint8Array, seed?: number) => number

const NATIVE_BYTES_MIN = 300
const POLYNOMIAL_REVERSED = 0x82f63b78

const tables = buildTables()
const native = loadNative()

/**
 * The CRC-32C of `bytes` as an unsigned 32-bit integer. `seed` is the CRC of what came before, so that
 * `crc32c(b, crc32c(a))` is the CRC of `a` followed by `b`.
 */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  if (native !== undefined && bytes.length >= NATIVE_BYTES_MIN) return native(bytes, seed)
  return crc32cTable(bytes, seed)
}

/** The same, always by tables. */
export function crc32cTable(bytes: Uint8Array, seed = 0): number {
  const t = tables
  const length = bytes.length
  let crc = ~seed
  let i = 0
  for (const last = length - 8; i <= last; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    crc =
      t[1792 + (crc & 255)]! ^
      t[1536 + ((crc >>> 8) & 255)]! ^
      t[1280 + ((crc >>> 16) & 255)]! ^
      t[1024 + (crc >>> 24)]! ^
      t[768 + bytes[i + 4]!]! ^
      t[512 + bytes[i + 5]!]! ^
      t[256 + bytes[i + 6]!]! ^
      t[bytes[i + 7]!]!
  }
  for (; i < length; i++) crc = t[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8)
  return ~crc >>> 0
}

/** Eight tables of 256 one after the other: table k advances a byte's contribution by k further zero bytes. */
function buildTables(): Int32Array {
  const all = new Int32Array(8 * 256)
  for (let n = 0; n < 256; n++) {
    let crc = n
    for (let bit = 0; bit < 8; bit++)
      crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL_REVERSED : crc >>> 1
    all[n] = crc
  }
  for (let i = 256; i < all.length; i++) {
    const previous = all[i - 256]!
    all[i] = (previous >>> 8) ^ all[previous & 255]!
  }
  return all
}

function loadNative(): NativeCrc32c | undefined {
  try {
    const loaded: { crc32c: NativeCrc32c } = createRequire(import.meta.url)('@node-rs/crc32')
    // The check value of the catalogue of CRC algorithms: a module that computes anything else is not used.
    const check = loaded.crc32c(new TextEncoder().encode('123456789'))
    return check === 0xe3069283 ? loaded.crc32c : undefined
  } catch {
    // No prebuilt binary for this platform: the tables give the same results, slower.
    return undefined
  }
}
