// A cut link holds back what is sent, in the one direction that is cut, and delivers it after the healing.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../test/node/node-process.ts'
import { Links } from './links.ts'

/** Longer than bytes take that nobody holds back. */
const HELD_MS = 100

function collect(socket: Socket): () => string {
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
  return () => text
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(1)
}

test('bytes wait in the direction that is cut and travel on after the healing', async (t) => {
  const ports = new Map([
    ['1', await freePort()],
    ['2', await freePort()],
    ['1 2', await freePort()],
    ['2 1', await freePort()],
  ])
  const port = (name: string) => ports.get(name) ?? 0
  const links = new Links([1, 2], {
    raftPort: (id) => port(String(id)),
    linkPort: (from, to) => port(`${from} ${to}`),
  })
  await links.open()
  const server = createServer().listen(port('2'), '127.0.0.1')
  await once(server, 'listening')
  const near = connect(links.portOf(1, 2), '127.0.0.1')
  const [far] = (await once(server, 'connection')) as [Socket]
  t.after(async () => {
    near.destroy()
    far.destroy()
    server.close()
    await links.close()
  })
  const [atFar, atNear] = [collect(far), collect(near)]

  near.write('a')
  far.write('A')
  await until(() => atFar() === 'a' && atNear() === 'A')

  links.cut(1, 2)
  near.write('b')
  far.write('B')
  await until(() => atNear() === 'AB')
  await sleep(HELD_MS)
  assert.equal(atFar(), 'a')

  links.heal()
  await until(() => atFar() === 'ab')

  links.isolate(2)
  const late = connect(links.portOf(1, 2), '127.0.0.1')
  await once(late, 'connect')
  const connected = once(server, 'connection')
  late.write('late')
  far.write('C')
  await sleep(HELD_MS)
  assert.equal(atNear(), 'AB')
  links.heal()
  const [second] = (await connected) as [Socket]
  const atSecond = collect(second)
  await until(() => atSecond() === 'late' && atNear() === 'ABC')
  late.destroy()
})

test('the end of one side ends the other, after the healing where the link is cut', async (t) => {
  const names = ['1', '2', '1 2', '2 1']
  const ports = new Map<string, number>()
  for (const name of names) ports.set(name, await freePort())
  const links = new Links([1, 2], {
    raftPort: (id) => ports.get(String(id)) ?? 0,
    linkPort: (from, to) => ports.get(`${from} ${to}`) ?? 0,
  })
  await links.open()
  const server = createServer().listen(ports.get('2'), '127.0.0.1')
  await once(server, 'listening')
  const near = connect(links.portOf(1, 2), '127.0.0.1')
  const [far] = (await once(server, 'connection')) as [Socket]
  t.after(async () => {
    near.destroy()
    server.close()
    await links.close()
  })
  near.on('error', () => {}) // a reset is an end too
  near.resume()
  let ended = false
  near.on('close', () => (ended = true))
  links.isolate(1)
  far.destroy()
  await sleep(HELD_MS)
  assert.equal(ended, false)
  links.heal()
  await until(() => ended)
})
