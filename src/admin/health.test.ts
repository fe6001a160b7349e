// Health answers, alone and over real HTTP.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NetError } from '../env/network.ts'
import { NodeHttp } from '../env/node/node-http.ts'
import { answerHealth } from './health.ts'

test('livez is about the process, readyz about serving', () => {
  const ask = (path: string, reason?: string, method = 'GET') =>
    answerHealth({ method, path }, () => reason).status
  assert.equal(ask('/livez'), 200)
  assert.equal(ask('/livez', 'starting'), 200)
  assert.equal(ask('/readyz'), 200)
  assert.equal(ask('/readyz', 'starting'), 503)
  assert.equal(ask('/'), 404)
  assert.equal(ask('/readyz', undefined, 'POST'), 405)
  assert.match(
    answerHealth({ method: 'GET', path: '/readyz' }, () => 'disk full').body,
    /disk full/,
  )
})

test('over HTTP: answers, frees its port, and says when a port is taken', async () => {
  const http = new NodeHttp()
  let reason: string | undefined = 'starting'
  const listener = await http.listen({ host: '127.0.0.1', port: 0 }, (request) =>
    answerHealth(request, () => reason),
  )
  const { port } = listener.address
  const get = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${port}${path}`, { method })
  assert.equal((await get('/readyz')).status, 503)
  reason = undefined
  assert.equal(await (await get('/readyz?verbose')).text(), 'ok\n')
  const head = await get('/livez', 'HEAD')
  assert.deepEqual([head.status, await head.text()], [200, ''])
  assert.equal((await get('/livez', 'DELETE')).headers.get('allow'), 'GET, HEAD')
  await assert.rejects(
    http.listen({ host: '127.0.0.1', port }, () => assert.fail('answers twice')),
    (error) => error instanceof NetError && error.code === 'EADDRINUSE',
  )
  await listener.close()
  await assert.rejects(get('/livez'))
})
