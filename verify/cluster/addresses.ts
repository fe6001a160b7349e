// `host:port` texts as addresses.

import type { NetAddress } from '../../src/env/network.ts'

export function addressesOf(texts: readonly string[]): NetAddress[] {
  return texts.map((text) => {
    const colon = text.lastIndexOf(':')
    return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) }
  })
}
