// One small HTTP request, for the command line's talk with a node.

import { hostPort } from '../../base/hosts.ts'
import { type NetAddress, NetError } from '../network.ts'
import { toNetError } from './node-network.ts'

export interface HttpCall {
  readonly method: 'GET' | 'POST'
  /** With the query. */
  readonly path: string
  /** Sent as JSON. */
  readonly body?: unknown
  readonly timeoutMs: number
}

export interface HttpAnswer {
  readonly status: number
  readonly body: string
}

/** A page of partitions is a few MB at most. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024

/** Fails with NetError: `ECONNREFUSED` when nothing was sent, `ETIMEDOUT` and others when nobody knows what was done. */
export function callHttp(address: NetAddress, call: HttpCall): Promise<HttpAnswer> {
  const { request } = process.getBuiltinModule('node:http')
  const body = call.body === undefined ? undefined : JSON.stringify(call.body)
  const { host, port } = address
  return new Promise((resolve, reject) => {
    const sent = request({
      host,
      port,
      method: call.method,
      path: call.path,
      headers: {
        host: hostPort(address),
        ...(body === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      },
      agent: false,
    })
    const fail = (error: Error): void => {
      clearTimeout(timeout)
      sent.destroy()
      reject(error instanceof NetError ? error : toNetError(error, 'no answer'))
    }
    const timeout = setTimeout(() => {
      fail(new NetError('ETIMEDOUT', `no answer in ${call.timeoutMs} ms`))
    }, call.timeoutMs)
    sent.on('error', fail)
    sent.on('response', (response) => {
      const chunks: Uint8Array[] = []
      let bytes = 0
      response.on('data', (chunk: Uint8Array) => {
        chunks.push(chunk)
        bytes += chunk.length
        if (bytes > ANSWER_BYTES_MAX) fail(new NetError('OTHER', 'too long an answer'))
      })
      response.on('error', fail)
      response.on('end', () => {
        clearTimeout(timeout)
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') })
      })
    })
    sent.end(body)
  })
}
