// `chronik start` as a process: ready, used, stopped, killed, started again, and refused.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { QUICKSTART_TOPIC, quickstarts } from '../../src/cli/quickstart.ts'
import { freePort, killAll, root, startNode, withoutRunner } from './node-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'chronik-node-'))
after(() => {
  killAll()
  rmSync(folder, { recursive: true, force: true })
})

const run = promisify(execFile)

async function readAll(port: number): Promise<string> {
  const args = ['consume', QUICKSTART_TOPIC, '-b', `127.0.0.1:${port}`, '--until-end', '--quiet']
  const { stdout } = await run(join(root, 'bin', 'chronik'), args, {
    env: withoutRunner(process.env),
  })
  return stdout
}

async function paste(port: number): Promise<void> {
  const hint = quickstarts(`127.0.0.1:${port}`).find(({ client }) => client === 'node')
  assert.ok(hint)
  const env = withoutRunner(process.env)
  await run('sh', ['-c', hint.text], { cwd: root, env })
}

test(
  'the lines for Node work; what they wrote outlives a stop and a kill',
  { timeout: 60_000 },
  async () => {
    const port = await freePort()
    const args = ['--data-dir', join(folder, 'data'), '--kafka', `127.0.0.1:${port}`]
    const first = await startNode(...args).ready()
    assert.match(first.stdout, /data \(new\)/)
    await paste(port)
    const startedMs = performance.now()
    assert.deepEqual(await first.stop('SIGINT'), { code: 0, signal: null })
    assert.ok(performance.now() - startedMs < 2_000, 'stopping took too long')

    const second = await startNode(...args, '--hints').ready()
    assert.match(second.stdout, /data \(kept from an earlier start\)/)
    assert.ok(second.stdout.includes(quickstarts(`127.0.0.1:${port}`)[0]?.text ?? 'nothing'))
    await paste(port)
    await second.stop('SIGKILL')

    const third = await startNode(...args).ready()
    assert.equal(await readAll(port), 'hello from Node\nhello from Node\n')
    assert.deepEqual(await third.stop(), { code: 0, signal: null })
  },
)

test('a port in use is named with what to do', { timeout: 20_000 }, async () => {
  const port = await freePort()
  const other = createServer().listen(port, '127.0.0.1')
  const node = startNode('--data-dir', join(folder, 'port'), '--kafka', `127.0.0.1:${port}`)
  assert.deepEqual(await node.ended, { code: 1, signal: null })
  other.close()
  assert.match(
    node.stderr,
    new RegExp(`127\\.0\\.0\\.1:${port} is in use by another program; .*--kafka`),
  )
})

test(
  'a second node on one data directory is refused, naming the first',
  { timeout: 20_000 },
  async () => {
    const args = ['--data-dir', join(folder, 'shared'), '--kafka']
    const first = await startNode(...args, `127.0.0.1:${await freePort()}`).ready()
    const samePort = /--kafka (\S+)/.exec(first.child.spawnargs.join(' '))?.[1] ?? ''
    for (const address of [`127.0.0.1:${await freePort()}`, samePort]) {
      const second = startNode(...args, address)
      assert.deepEqual(await second.ended, { code: 1, signal: null })
      const said = new RegExp(`shared is in use, held by process ${first.child.pid};`)
      assert.match(second.stderr, said)
    }
    await first.stop()
  },
)

test('health is answered over HTTP', { timeout: 20_000 }, async () => {
  const port = await freePort()
  const node = await startNode(
    ...['--data-dir', join(folder, 'http'), '--kafka', `127.0.0.1:${await freePort()}`],
    ...['--http', `127.0.0.1:${port}`],
  ).ready()
  for (const path of ['/livez', '/readyz']) {
    assert.equal(await (await fetch(`http://127.0.0.1:${port}${path}`)).text(), 'ok\n')
  }
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/cluster`)
  const { nodes, partitions } = (await answer.json()) as { nodes: unknown[]; partitions: unknown }
  assert.equal(nodes.length, 1)
  const none = { topics: 0, total: 0, underReplicated: 0, underMinInSync: 0, offline: 0 }
  assert.deepEqual(partitions, none)
  await node.stop()
})
