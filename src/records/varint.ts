// Zigzag varints as record batches use them (Kafka's `ByteUtils`, after Protocol Buffers): small magnitudes of either sign
// take few bytes. Writing is here; reading is in `record-cursor.ts`, inlined where it is hot.

/** The bytes that `value` (int32) takes. */
export function varintBytes(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  if (zigzag < 0x80) return 1
  if (zigzag < 0x4000) return 2
  if (zigzag < 0x20_0000) return 3
  return zigzag < 0x1000_0000 ? 4 : 5
}

/** Writes an int32; returns where it ends. */
export function putVarint(bytes: Uint8Array, at: number, value: number): number {
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  for (; zigzag >= 0x80; zigzag >>>= 7) bytes[at++] = (zigzag & 0x7f) | 0x80
  bytes[at++] = zigzag
  return at
}

/** The bytes that `value` (a safe integer) takes. */
export function varlongBytes(value: number): number {
  // The sign is the lowest bit, so the first byte carries six bits of the magnitude.
  let magnitude = Math.floor((value < 0 ? -(value + 1) : value) / 64)
  let length = 1
  for (; magnitude > 0; magnitude = Math.floor(magnitude / 128)) length++
  return length
}

/** Writes a safe integer as a 64-bit varlong; returns where it ends. */
export function putVarlong(bytes: Uint8Array, at: number, value: number): number {
  const magnitude = value < 0 ? -(value + 1) : value
  const first = (magnitude % 64) * 2 + (value < 0 ? 1 : 0)
  let rest = Math.floor(magnitude / 64)
  bytes[at++] = rest > 0 ? first | 0x80 : first
  while (rest > 0) {
    const seven = rest % 128
    rest = Math.floor(rest / 128)
    bytes[at++] = rest > 0 ? seven | 0x80 : seven
  }
  return at
}
