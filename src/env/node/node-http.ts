// The HTTP port over node:http.

import type { Server } from 'node:http'
import type { Http, HttpRequest, HttpResponse } from '../http.ts'
import type { NetAddress, NetListener } from '../network.ts'
import { toNetError } from './node-network.ts'

const LIMITS = {
  /** A client that has not sent its request by then is cut off. */
  requestTimeout: 10_000,
  headersTimeout: 10_000,
  keepAliveTimeout: 5_000,
  maxHeaderSize: 16 * 1024,
} as const
const CONNECTIONS_MAX = 256

export class NodeHttp implements Http {
  listen(
    address: NetAddress,
    answer: (request: HttpRequest) => HttpResponse,
  ): Promise<NetListener> {
    // An import would evaluate every export of the module, those that load Node's WebSocket client too: 10 MB of memory.
    const { createServer } = process.getBuiltinModule('node:http')
    const server = createServer(LIMITS, (request, response) => {
      const path = (request.url ?? '/').split('?')[0] ?? '/'
      const method = request.method ?? 'GET'
      const { status, contentType, body, headers } = answer({ method, path })
      response.writeHead(status, {
        'content-type': contentType,
        'content-length': Buffer.byteLength(body),
        'cache-control': 'no-store',
        ...headers,
      })
      response.end(method === 'HEAD' ? undefined : body)
    })
    server.maxConnections = CONNECTIONS_MAX
    return new Promise((resolve, reject) => {
      server.on('error', (error) => {
        reject(toNetError(error, `listen on ${address.host}:${address.port}`))
      })
      server.listen({ host: address.host, port: address.port }, () => {
        const bound = server.address()
        const port = bound !== null && typeof bound === 'object' ? bound.port : address.port
        resolve({ address: { host: address.host, port }, close: () => closeServer(server) })
      })
    })
  }
}

/** Health checks are short: those under way are cut off rather than waited for. */
function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
