// `chronik dev` as processes: one command runs the nodes, and whatever happens to it, no node is left behind.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePorts } from '../../src/env/node/testing/free-ports.ts'
import { isGone } from '../../src/env/node/testing/process-state.ts'
import { killAll, NodeProcess, root, withoutRunner } from './node-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'chronik-dev-'))
after(() => {
  killAll()
  rmSync(folder, { recursive: true, force: true })
})

const chronik = join(root, 'bin', 'chronik')

interface Dev {
  readonly process: NodeProcess
  readonly directory: string
  readonly kafka: string
  readonly http: string
}

async function startDev(name: string, nodes: 1 | 3): Promise<Dev> {
  const base = await freePorts(3 * nodes)
  const [kafka, raft, http] = [base, base + nodes, base + 2 * nodes].map(String)
  const directory = join(folder, name)
  const ports = ['--kafka-port', kafka, '--raft-port', raft, '--http-port', http].map(String)
  const args = ['dev', '--nodes', String(nodes), '--data-dir', directory, ...ports]
  const process = new NodeProcess(chronik, args, { group: true })
  await process.ready()
  return { process, directory, kafka: `127.0.0.1:${kafka}`, http: `127.0.0.1:${http}` }
}

async function tell({ directory }: Dev, ...args: readonly string[]): Promise<string> {
  const all = ['dev', ...args, '--data-dir', directory]
  const { stdout } = await promisify(execFile)(chronik, all, { env: withoutRunner(process.env) })
  return stdout
}

async function nodesOf(dev: Dev): Promise<{ pid: number | null; ready: boolean }[]> {
  const status = JSON.parse(await tell(dev, 'status', '--json')) as {
    nodes: { pid: number | null; ready: boolean }[]
  }
  return status.nodes
}

async function pids(dev: Dev): Promise<number[]> {
  return (await nodesOf(dev)).flatMap(({ pid }) => (pid === null ? [] : [pid]))
}

async function allGone(left: readonly number[], withinMs: number): Promise<void> {
  const untilMs = performance.now() + withinMs
  for (const pid of left) {
    while (!(await isGone(pid))) {
      assert.ok(performance.now() < untilMs, `process ${pid} is left after ${withinMs} ms`)
      await sleep(20)
    }
  }
}

test('Ctrl-C stops all of it within 2 s; the data stays', { timeout: 60_000 }, async () => {
  const dev = await startDev('kept', 3)
  const left = await pids(dev)
  assert.equal(left.length, 3)
  const startedMs = performance.now()
  assert.deepEqual(await dev.process.stop('SIGINT'), { code: 0, signal: null })
  assert.ok(performance.now() - startedMs < 2000, 'stopping took too long')
  await allGone(left, 0)
  const again = await startDev('kept', 3)
  assert.match(again.process.stdout, /kept from an earlier start/)
  assert.deepEqual(await again.process.stop('SIGTERM'), { code: 0, signal: null })
})

test(
  'what was written before all were killed is there when they are back',
  { timeout: 120_000 },
  async () => {
    const dev = await startDev('killed', 3)
    const environment = { CHRONIK_BOOTSTRAP: dev.kafka, CHRONIK_CLUSTER_HTTP: dev.http }
    const run = async (args: readonly string[], input = ''): Promise<string> => {
      const env = { ...withoutRunner(process.env), ...environment }
      const running = promisify(execFile)(chronik, [...args, '--timeout', '60'], { env })
      running.child.stdin?.end(input)
      return (await running).stdout
    }
    await run(['topic', 'create', 'orders', '--replication-factor', '3'])
    await run(['produce', 'orders'], 'one\ntwo\n')
    await tell(dev, 'kill', 'all')
    assert.deepEqual(await pids(dev), [])
    await tell(dev, 'restart', 'all')
    while (!(await nodesOf(dev)).every(({ ready }) => ready)) await sleep(100)
    assert.equal(await run(['consume', 'orders', '--until-end']), 'one\ntwo\n')
    const status = JSON.parse(await run(['cluster', 'status', '--json'])) as {
      nodes: { nodeId: number; replicas: number }[]
    }
    const replicas = status.nodes.map((node) => [node.nodeId, node.replicas])
    assert.deepEqual(replicas, [
      [1, 1],
      [2, 1],
      [3, 1],
    ])
    await dev.process.stop()
  },
)

test(
  'nodes end when their supervisor is killed, and it can start again',
  { timeout: 60_000 },
  async () => {
    for (const paused of [false, true]) {
      const dev = await startDev(`orphans-${paused}`, 1)
      const left = await pids(dev)
      if (paused) await tell(dev, 'pause', '1')
      // The supervisor alone, not its group.
      process.kill(dev.process.child.pid ?? assert.fail('no pid'), 'SIGKILL')
      const again = await new NodeProcess(chronik, dev.process.child.spawnargs.slice(1), {
        group: true,
      }).ready()
      await allGone(left, 0)
      await again.stop()
    }
  },
)
