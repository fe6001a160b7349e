// Health answers, alone and over real HTTP.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NetError } from '../env/network.ts'
import { createLogger } from '../env/node/logger.ts'
import { NodeHttp } from '../env/node/node-http.ts'
import type { Readiness } from './cluster-admin.ts'
import { answerHealth } from './health.ts'
import { httpApi } from './http-api.ts'

test('livez is about the process, readyz about serving', () => {
  const answer = (path: string, reason?: string, method = 'GET') =>
    answerHealth({ method, path }, () =>
      reason === undefined ? { ready: true } : { ready: false, reason },
    )
  const ask = (path: string, reason?: string, method?: string) =>
    answer(path, reason, method)?.status
  assert.equal(ask('/livez'), 200)
  assert.equal(ask('/livez', 'starting'), 200)
  assert.equal(ask('/readyz'), 200)
  assert.equal(ask('/readyz', 'starting'), 503)
  assert.equal(ask('/'), undefined)
  assert.equal(ask('/readyz', undefined, 'POST'), 405)
  assert.match(answer('/readyz', 'disk full')?.body ?? '', /disk full/)
})

test('over HTTP: answers, frees its port, and says when a port is taken', async () => {
  const http = new NodeHttp()
  let state: Readiness = { ready: false, reason: 'starting' }
  const api = httpApi({
    readiness: () => state,
    cluster: () => undefined,
    guard: { access: 'loopback', names: new Set() },
    log: createLogger({ write: assert.fail }),
  })
  const listener = await http.listen({ host: '127.0.0.1', port: 0 }, api)
  const { port } = listener.address
  const get = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${port}${path}`, { method })
  assert.equal((await get('/readyz')).status, 503)
  state = { ready: true }
  assert.equal(await (await get('/readyz?verbose')).text(), 'ok\n')
  const head = await get('/livez', 'HEAD')
  assert.deepEqual([head.status, await head.text()], [200, ''])
  assert.equal((await get('/livez', 'DELETE')).headers.get('allow'), 'GET, HEAD')
  assert.equal((await get('/')).status, 404)
  await assert.rejects(
    http.listen({ host: '127.0.0.1', port }, () => assert.fail('answers twice')),
    (error) => error instanceof NetError && error.code === 'EADDRINUSE',
  )
  await listener.close()
  await assert.rejects(get('/livez'))
})
