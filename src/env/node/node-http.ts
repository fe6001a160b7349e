// The HTTP port over node:http.

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { type AnswerHttp, type Http, HTTP_BODY_BYTES_MAX, type HttpResponse } from '../http.ts'
import { hostPort } from '../../base/hosts.ts'
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
  listen(address: NetAddress, answer: AnswerHttp): Promise<NetListener> {
    // An import would evaluate every export of the module, those that load Node's WebSocket client too: 10 MB of memory.
    const { createServer } = process.getBuiltinModule('node:http')
    const server = createServer(LIMITS, (request, response) => {
      void serve(request, response, answer)
    })
    server.maxConnections = CONNECTIONS_MAX
    return new Promise((resolve, reject) => {
      server.on('error', (error) => {
        reject(toNetError(error, `listen on ${hostPort(address)}`))
      })
      server.listen({ host: address.host, port: address.port }, () => {
        const bound = server.address()
        const port = bound !== null && typeof bound === 'object' ? bound.port : address.port
        resolve({ address: { host: address.host, port }, close: () => closeServer(server) })
      })
    })
  }
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  answer: AnswerHttp,
): Promise<void> {
  const { method = 'GET', url = '/' } = request
  const body = await bodyOf(request)
  if (body === 'gone') return
  if (body === 'too large') return send(response, method, TOO_LARGE)
  const [path = '/', ...query] = url.split('?')
  const remoteHost = (request.socket.remoteAddress ?? '').replace(/^::ffff:/i, '')
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
  )
  send(
    response,
    method,
    await answer({ method, path, query: query.join('?'), headers, body: body.text, remoteHost }),
  )
}

/** `gone`: the caller went away before it had sent all of it. */
function bodyOf(request: IncomingMessage): Promise<{ text: string } | 'too large' | 'gone'> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = []
    let bytes = 0
    request.on('data', (chunk: Uint8Array) => {
      bytes += chunk.length
      if (bytes <= HTTP_BODY_BYTES_MAX) chunks.push(chunk)
      else resolve('too large')
    })
    request.on('end', () => resolve({ text: Buffer.concat(chunks).toString('utf8') }))
    request.on('close', () => resolve('gone'))
    request.on('error', () => resolve('gone'))
  })
}

const TOO_LARGE: HttpResponse = {
  status: 413,
  contentType: 'text/plain; charset=utf-8',
  body: `a request has at most ${HTTP_BODY_BYTES_MAX} bytes\n`,
  // What is still to come of the body is not read.
  headers: { connection: 'close' },
}

function send(response: ServerResponse, method: string, answer: HttpResponse): void {
  const { status, contentType, body, headers } = answer
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...headers,
  })
  response.end(method === 'HEAD' ? undefined : body)
}

/** Health checks are short: those under way are cut off rather than waited for. */
function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
