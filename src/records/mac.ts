// Message authentication for the handshake between nodes: HMAC-SHA256 (RFC 2104) in its synchronous form. It lives here
// because this room and `security` alone may use node:crypto, and the rooms that need it lie between the two.

import { createHmac, timingSafeEqual } from 'node:crypto'

export const MAC_BYTES = 32

/** HMAC-SHA256 of the parts, one after the other. Where one part ends and the next begins is the caller's to mark. */
export function hmacSha256(key: Uint8Array, parts: readonly Uint8Array[]): Uint8Array {
  const hmac = createHmac('sha256', key)
  for (const part of parts) hmac.update(part)
  return new Uint8Array(hmac.digest())
}

/** In a time that does not depend on where two values of one length differ. */
export function equalMacs(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b)
}
