// The network port over node:net.

import * as net from 'node:net'
import {
  NetError,
  type Connection,
  type NetAddress,
  type NetListener,
  type Network,
} from '../network.ts'
import { NodeConnection } from './node-connection.ts'

const SOCKET_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 } as const
const BACKLOG = 1024
const CONNECT_TIMEOUT_MS = 30_000

export class NodeNetwork implements Network {
  listen(
    address: NetAddress,
    onConnection: (connection: Connection) => void,
  ): Promise<NetListener> {
    return new Promise((resolve, reject) => {
      const server = net.createServer({ ...SOCKET_OPTIONS, pauseOnConnect: true }, (socket) =>
        onConnection(new NodeConnection(socket)),
      )
      server.on('error', (error) => reject(toNetError(error, `listen on ${format(address)}`)))
      server.listen({ host: address.host, port: address.port, backlog: BACKLOG }, () => {
        const bound = server.address()
        const port = bound !== null && typeof bound === 'object' ? bound.port : address.port
        resolve({ address: { host: address.host, port }, close: () => closeServer(server) })
      })
    })
  }

  connect(address: NetAddress, options: { readonly timeoutMs?: number } = {}): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ ...SOCKET_OPTIONS, host: address.host, port: address.port })
      const timeoutMs = options.timeoutMs ?? CONNECT_TIMEOUT_MS
      const timeout = setTimeout(() => {
        socket.destroy()
        reject(
          new NetError('ETIMEDOUT', `connect to ${format(address)}: no answer in ${timeoutMs} ms`),
        )
      }, timeoutMs)
      socket.once('connect', () => {
        clearTimeout(timeout)
        socket.off('error', onError)
        resolve(new NodeConnection(socket))
      })
      const onError = (error: Error): void => {
        clearTimeout(timeout)
        reject(toNetError(error, `connect to ${format(address)}`))
      }
      socket.on('error', onError)
    })
  }
}

/** Node's own callback waits for the open connections too; the descriptor itself is closed at once. */
function closeServer(server: net.Server): Promise<void> {
  return new Promise((resolve) => {
    if (server.listening) server.close()
    setImmediate(resolve)
  })
}

function format(address: NetAddress): string {
  return address.host.includes(':')
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`
}

export function toNetError(error: Error, doing: string): NetError {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'OTHER'
  return new NetError(code, `${doing}: ${error.message === '' ? code : error.message}`)
}
