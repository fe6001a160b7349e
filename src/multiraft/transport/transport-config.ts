// What a node must know before its Raft port opens, checked in one place.

import type { NetAddress } from '../../env/network.ts'
import { isId } from './handshake-messages.ts'
import type { TransportOptions } from './transport.ts'

/** The settings can't work; the message says which, for whoever wrote them. */
export class TransportConfigError extends Error {
  override readonly name = 'TransportConfigError'
}

/**
 * Throws TransportConfigError. Without a cluster secret whoever reaches the port could take part in the cluster, so that
 * every address must then be one of this machine's own.
 */
export function checkConfig(options: TransportOptions): void {
  const { self, listen, peers, secret } = options
  if (!isId(self.directoryId) || !isId(self.bootId)) {
    throw new TransportConfigError('directory id and boot id must have 1 to 64 bytes')
  }
  const seen = new Set([self.nodeId])
  for (const { nodeId } of peers) {
    if (seen.has(nodeId)) {
      throw new TransportConfigError(
        nodeId === self.nodeId
          ? `node ${nodeId} is listed as a peer of itself`
          : `node ${nodeId} is listed twice`,
      )
    }
    seen.add(nodeId)
  }
  if (secret !== undefined) {
    if (secret.byteLength === 0) throw new TransportConfigError('the cluster secret is empty')
    return
  }
  const open = [listen, ...peers].find(({ host }) => !isLoopback(host))
  if (open !== undefined) {
    throw new TransportConfigError(
      `a cluster secret is required: ${formatAddress(open)} is not a loopback address`,
    )
  }
}

/** 127.0.0.0/8 (RFC 1122), ::1 (RFC 4291), the same in IPv6 notation, and the name that always means it (RFC 6761). */
export function isLoopback(host: string): boolean {
  const plain = host.toLowerCase().replace(/^::ffff:/, '')
  return plain === 'localhost' || plain === '::1' || /^127(\.\d{1,3}){3}$/.test(plain)
}

export function formatAddress({ host, port }: NetAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
