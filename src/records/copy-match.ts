// Copies within an output buffer, as LZ77 decoders need: a match may overlap what it writes, and then repeats it.

/** Above this a block copy is faster than a loop over bytes. */
const BLOCK_COPY_BYTES_MIN = 48

/** Appends `length` bytes at `to`, read from `distance` (≥ 1) bytes before it. The caller checked the bounds. */
export function copyMatch(out: Uint8Array, to: number, distance: number, length: number): void {
  let from = to - distance
  if (length >= BLOCK_COPY_BYTES_MIN && distance >= length) {
    out.copyWithin(to, from, from + length)
    return
  }
  if (length >= BLOCK_COPY_BYTES_MIN && distance === 1) {
    out.fill(out[from]!, to, to + length)
    return
  }
  for (const end = to + length; to < end; to++, from++) out[to] = out[from]!
}

/** Copies `length` bytes from one buffer to another. The caller checked the bounds. */
export function copyLiteral(
  source: Uint8Array,
  from: number,
  out: Uint8Array,
  to: number,
  length: number,
): void {
  if (length >= BLOCK_COPY_BYTES_MIN) {
    out.set(source.subarray(from, from + length), to)
    return
  }
  for (const end = from + length; from < end; from++, to++) out[to] = source[from]!
}

/** Whether the four bytes at `a` and at `b` are the same. */
export function sameWord(bytes: Uint8Array, a: number, b: number): boolean {
  return (
    bytes[a] === bytes[b] &&
    bytes[a + 1] === bytes[b + 1] &&
    bytes[a + 2] === bytes[b + 2] &&
    bytes[a + 3] === bytes[b + 3]
  )
}

/** A hash of the four bytes at `at`, in `bits` bits. */
export function hashWord(bytes: Uint8Array, at: number, bits: number): number {
  const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
  return Math.imul(word, 0x9e3779b1) >>> (32 - bits)
}
