// A request reaches the HTTP port whole, and what goes wrong on the way is a NetError.

import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import type { HttpRequest } from '../http.ts'
import { NetError } from '../network.ts'
import { callHttp } from './http-client.ts'
import { NodeHttp } from './node-http.ts'

test('what is sent is what the other side sees', async () => {
  const seen: HttpRequest[] = []
  const listener = await new NodeHttp().listen({ host: '127.0.0.1', port: 0 }, async (request) => {
    seen.push(request)
    return { status: 404, contentType: 'text/plain', body: 'täglich' }
  })
  const call = { method: 'POST', path: '/a%20b?c=d?e', timeoutMs: 5000 } as const
  const answer = await callHttp(listener.address, { ...call, body: { text: 'ä' } })
  assert.deepEqual(answer, { status: 404, body: 'täglich' })
  const [request] = seen
  assert.ok(request)
  const { headers, ...rest } = request
  assert.deepEqual(rest, {
    method: 'POST',
    path: '/a%20b',
    query: 'c=d?e',
    body: '{"text":"ä"}',
    remoteHost: '127.0.0.1',
  })
  assert.equal(headers['host'], `127.0.0.1:${listener.address.port}`)
  assert.equal(headers['content-type'], 'application/json')
  await callHttp(listener.address, { ...call, method: 'GET' })
  assert.equal(seen[1]?.body, '')
  await listener.close()
  const code = (wanted: string) => (error: unknown) =>
    error instanceof NetError && error.code === wanted
  await assert.rejects(callHttp(listener.address, call), code('ECONNREFUSED'))
})

test('a silent server is given up, a broken answer is an error', async () => {
  let answer: string | undefined
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    if (answer !== undefined) socket.end(answer)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const bound = server.address()
  const port = bound !== null && typeof bound === 'object' ? bound.port : 0
  const get = () =>
    callHttp({ host: '127.0.0.1', port }, { method: 'GET', path: '/', timeoutMs: 100 })
  await assert.rejects(get(), (error) => error instanceof NetError && error.code === 'ETIMEDOUT')
  answer = 'SMTP ready\r\n'
  await assert.rejects(get(), NetError)
  answer = 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'
  await assert.rejects(get(), NetError)
  server.close()
})
