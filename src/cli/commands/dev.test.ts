// A development cluster of three processes that stand for nodes: started, looked at, broken and mended by the commands,
// and stopped with nothing left behind.

import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startChild } from '../../env/node/child-process.ts'
import { callHttp } from '../../env/node/http-client.ts'
import { nodeEnv } from '../../env/node/node-env.ts'
import { NodeHttp } from '../../env/node/node-http.ts'
import { readPrivateFile, writePrivateFile } from '../../env/node/private-file.ts'
import { freePorts } from '../../env/node/testing/free-ports.ts'
import { isGone } from '../../env/node/testing/process-state.ts'
import type { DevNodeReport } from '../dev/dev-cluster.ts'
import type { DevWorld } from '../dev/dev-world.ts'

import { runProgram } from '../program.ts'
import { REPEAT_MS } from '../stopping.ts'
import { command } from './dev.ts'

const folder = mkdtempSync(join(tmpdir(), 'chronik-dev-'))
after(() => rmSync(folder, { recursive: true }))

/** Answers /readyz on the port after --http and ends with its input. What it does otherwise, files beside its data say. */
const fakeNode = `
import { existsSync, mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
const valueOf = (flag) => process.argv[process.argv.indexOf(flag) + 1]
const says = (name) => existsSync(valueOf('--data-dir') + '.' + name)
if (says('refuses')) { console.error('chronik: peers: wrong'); process.exit(2) }
if (!says('stubborn')) process.on('SIGTERM', () => process.exit(0))
else process.on('SIGTERM', () => {})
process.stdin.on('close', () => process.exit(0)).resume()
mkdirSync(valueOf('--data-dir'), { recursive: true })
console.log('args ' + process.argv.slice(1).join(' '))
const server = createServer((_, response) => response.writeHead(says('unready') ? 503 : 200).end('not ready: no peers'))
server.listen(Number(valueOf('--http').split(':')[1]), '127.0.0.1')
`

class Exit extends Error {}

class FakeWorld implements DevWorld {
  readonly environment = { PATH: process.env['PATH'], CHRONIK_NODE_ID: '9' }
  readonly workingDirectory = folder
  readonly pid = process.pid
  readonly selfText = 'chronik'
  readonly startChild = startChild
  readonly callHttp = callHttp
  readonly http = new NodeHttp()
  readonly files = { read: readPrivateFile, write: writePrivateFile }
  readonly self: DevWorld['self'] = {
    program: process.execPath,
    args: ['--input-type=module', '-e', fakeNode, '--'],
  }
  readonly printed: string[] = []
  readonly said: string[] = []
  ask: DevWorld['ask'] = undefined
  exitCode: number | undefined
  #listener: ((signal: string) => void) | undefined
  readonly signals = {
    on: (listener: (signal: string) => void) => {
      this.#listener = listener
      return () => void (this.#listener = undefined)
    },
  }
  readonly makeEnv = async () => nodeEnv({ log: { write: assert.fail } })
  readonly print = (text: string): void => void this.printed.push(text)
  readonly say = (text: string): void => void this.said.push(text)
  readonly exitNow = (code: 0 | 1): never => {
    this.exitCode = code
    throw new Exit()
  }

  signal(name: string): void {
    this.#listener?.(name)
  }
}

interface Outcome {
  readonly code: number
  readonly out: string
  readonly said: string
}

async function run(world: FakeWorld, ...args: readonly string[]): Promise<Outcome> {
  const errors: string[] = []
  const write = process.stderr.write.bind(process.stderr)
  process.stderr.write = ((text: string) => errors.push(text) > 0) as typeof process.stderr.write
  try {
    const load = () => Promise.resolve({ command: () => command(() => world) })
    const code = await runProgram(['dev', ...args], [{ name: 'dev', summary: '', load }])
    const said = [...world.said, ...errors].join('\n')
    return { code, out: world.printed.join('\n'), said }
  } finally {
    process.stderr.write = write
  }
}

const base = await freePorts(9)
const PORTS = [
  ...['--kafka-port', String(base), '--raft-port', String(base + 3)],
  ...['--http-port', String(base + 6)],
]
const at = (offset: number) => `127\\.0\\.0\\.1:${base + offset}`
let directory: string
let count = 0
beforeEach(() => void (directory = join(folder, `cluster-${++count}`)))

const tell = (...args: readonly string[]) => run(new FakeWorld(), ...args, '--data-dir', directory)

async function nodes(): Promise<readonly DevNodeReport[]> {
  const { code, out } = await tell('status', '--json')
  assert.equal(code, 0)
  return (JSON.parse(out) as { nodes: readonly DevNodeReport[] }).nodes
}

const states = async () => (await nodes()).map(({ state }) => state)

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, 'it did not come to that in 10 s')
    await sleep(20)
  }
}

/** Runs a cluster for as long as `body` takes, stops it, and sees that no process is left. */
async function withCluster(
  args: readonly string[],
  body: (world: FakeWorld) => Promise<void>,
): Promise<FakeWorld> {
  const world = new FakeWorld()
  const ended = run(world, '--data-dir', directory, ...PORTS, ...args)
  await Promise.race([
    until(() => world.printed.length > 0),
    ended.then(({ said }) => assert.fail(`it ended: ${said}`)),
  ])
  const pids = new Set<number>()
  const note = async () => (await nodes()).forEach(({ pid }) => pid !== null && pids.add(pid))
  await note()
  await body(world)
  await note()
  const startedMs = performance.now()
  world.signal('SIGINT')
  const { code, said } = await ended
  assert.equal(code, 0, said)
  // Whoever has not stopped after 1.5 s is killed.
  assert.ok(performance.now() - startedMs < 2500, 'stopping took too long')
  for (const pid of pids) assert.ok(await isGone(pid), `process ${pid} is left`)
  return world
}

describe('a cluster of three', { timeout: 60_000 }, () => {
  test('is started, shown and stopped; each node has its own arguments', async () => {
    const world = await withCluster(['--set', 'num.partitions=2'], async ({ printed, said }) => {
      const banner = printed[0] ?? ''
      assert.match(banner, /a cluster of 3 nodes, is ready/)
      assert.match(banner, new RegExp(`Kafka +${at(0)},${at(1)},${at(2)}`))
      assert.match(banner, /chronik dev kill 1 --data-dir cluster-\d+ /)
      assert.match(banner, new RegExp(`brokers: \\['${at(0)}', '${at(1)}', '${at(2)}'\\]`))
      assert.deepEqual(said, [])
      const { out } = await tell('status')
      assert.match(out, /^node +pid +state +for +ready +kafka +raft +http\n/)
      const row = `^ +2 +\\d+ +up +\\d+ s +yes +${at(1)} +${at(4)} +${at(7)}$`
      assert.match(out, new RegExp(row, 'm'))
      const log = readFileSync(join(directory, 'node-2.log'), 'utf8')
      assert.match(log, /^--- started, pid \d+\nargs start --stop-with-stdin --node-id 2 /)
      assert.match(log, /--set num\.partitions=2/)
    })
    assert.deepEqual(world.said, ['stopping (SIGINT) …', 'stopped'])
    const again = await tell('status')
    assert.equal(again.code, 1)
    assert.match(again.said, /no development cluster runs in cluster-\d+; "chronik dev --data-dir/)
  })

  test('killed nodes stay down until restart, several at once too', async () => {
    await withCluster([], async () => {
      assert.equal((await tell('kill', '1', '3')).code, 0)
      assert.deepEqual(await states(), ['killed', 'up', 'killed'])
      await sleep(1200)
      assert.deepEqual(await states(), ['killed', 'up', 'killed'])
      const wrong = await tell('kill', '1', '2')
      assert.equal(wrong.code, 1)
      assert.match(wrong.said, /node 1 is not running: killed/)
      assert.deepEqual(await states(), ['killed', 'killed', 'killed'], 'the others are done')
      assert.match((await tell('restart', 'all')).said, /node 3 started \(pid \d+\)/)
      await until(async () => (await nodes()).every(({ ready }) => ready))
    })
  })

  test('a crash is mended after a second', async () => {
    const world = await withCluster([], async ({ said }) => {
      const [first] = await nodes()
      process.kill(first?.pid ?? assert.fail('no pid'), 'SIGKILL')
      await until(async () => (await states())[0] === 'waiting')
      assert.match(said[0] ?? '', /node 1 │ ended by SIGKILL; starting it again in 1 s; its log is/)
      await until(async () => (await nodes())[0]?.ready === true)
      assert.notEqual((await nodes())[0]?.pid, first?.pid)
    })
    assert.equal(world.said.length, 3)
  })

  test('paused nodes answer nothing, and go on; a paused one is stopped as well', async () => {
    await withCluster(['--no-restart'], async () => {
      await tell('pause', '2')
      const [, second] = await nodes()
      assert.deepEqual([second?.state, second?.ready], ['paused', false])
      assert.equal((await tell('resume', '2')).code, 0)
      await until(async () => (await nodes())[1]?.ready === true)
      assert.match((await tell('resume', '2')).said, /node 2 is not paused/)
      await tell('pause', '1', '3')
    })
  })

  test('a node that ignores SIGTERM does not hold up the end', async () => {
    await withCluster([], async () => {
      writeFileSync(join(directory, 'node-2.stubborn'), '')
      await tell('restart', '2')
      await until(async () => (await nodes())[1]?.ready === true)
    })
  })

  test('a second signal ends it at once', async () => {
    const world = new FakeWorld()
    const ended = run(world, '--data-dir', directory, ...PORTS, '--nodes', '1')
    await until(() => world.printed.length > 0)
    writeFileSync(join(directory, 'node-1.stubborn'), '')
    await tell('restart', '1')
    await until(async () => (await nodes())[0]?.ready === true)
    const [node] = await nodes()
    world.signal('SIGINT')
    await sleep(REPEAT_MS + 20)
    assert.throws(() => world.signal('SIGINT'), Exit)
    assert.equal(world.exitCode, 1)
    const startedMs = performance.now()
    await until(() => isGone(node?.pid ?? 0))
    assert.ok(performance.now() - startedMs < 1000, 'it was not killed at once')
    await ended
  })

  test('what it waits for does not keep it from being stopped', async () => {
    const world = new FakeWorld()
    const ended = run(world, '--data-dir', directory, ...PORTS, '--nodes', '1')
    await until(() => existsSync(join(directory, 'dev.json')))
    writeFileSync(join(directory, 'node-1.unready'), '')
    await until(async () => (await nodes())[0]?.notReady === 'no peers')
    assert.match((await tell('status')).out, /no: no peers/)
    world.signal('SIGTERM')
    assert.equal((await ended).code, 0)
  })
})

describe('refusals', { timeout: 60_000 }, () => {
  test('unknown nodes and commands are named', async () => {
    await withCluster(['--nodes', '1'], async () => {
      const unknown = await tell('kill', '4')
      assert.equal(unknown.code, 2)
      assert.match(unknown.said, /there is no node 4; the only one is 1/)
      const second = await run(new FakeWorld(), '--data-dir', directory)
      assert.equal(second.code, 1)
      assert.match(second.said, /is in use, held by .*Ctrl-C there/)
    })
    const misspelt = await tell('stauts')
    assert.equal(misspelt.code, 2)
    assert.match(misspelt.said, /no command "dev stauts"; did you mean status\?/)
    assert.equal((await tell('kill', 'one')).code, 2)
    assert.equal((await tell('kill')).code, 2)
    assert.match((await tell('--nodes', '2')).said, /--nodes: 2 can't be had; give 1, 3, 5 or 7/)
    assert.match((await tell('--yes')).said, /--yes goes with --reset/)
    const none = await run(new FakeWorld(), 'status')
    assert.match(none.said, /runs in chronik-dev; "chronik dev" starts one, or say where/)
  })

  test('a directory that can’t be is named', async () => {
    writeFileSync(directory, '')
    const file = await run(new FakeWorld(), '--data-dir', directory)
    assert.match(file.said, /cluster-\d+ is a file; give a directory with --data-dir/)
    const below = await run(new FakeWorld(), '--data-dir', join(directory, 'below'))
    assert.equal(below.code, 1)
    assert.match(below.said, /is a file where a directory is needed; give another directory/)
  })

  test('a port in use is named with whose it would be and what to do', async () => {
    const other = createServer().listen(base + 5, '127.0.0.1')
    const { code, said } = await run(new FakeWorld(), '--data-dir', directory, ...PORTS)
    other.close()
    assert.equal(code, 1)
    const message = `${at(5)}, for Raft of node 3, is in use by another program; .*--raft-port`
    assert.match(said, new RegExp(message))
    assert.equal(existsSync(join(directory, 'node-1.log')), false)
  })

  test('nodes that say they are asked for wrongly are not tried again', async () => {
    await withCluster(['--nodes', '1'], async () => undefined)
    writeFileSync(join(directory, 'node-1.refuses'), '')
    const { code, said } = await run(new FakeWorld(), '--data-dir', directory, ...PORTS)
    assert.deepEqual([code, said], [2, 'chronik: peers: wrong\n'])
  })

  test('the number of nodes is kept; --reset begins anew', async () => {
    await withCluster(['--nodes', '1'], async () => undefined)
    const { code, said } = await run(new FakeWorld(), '--data-dir', directory, '--nodes', '3')
    assert.equal(code, 2)
    assert.match(said, /holds a cluster of 1, whose number is fixed/)
    const world = await withCluster(['--reset', '--yes', '--nodes', '3'], async ({ printed }) => {
      assert.match(printed[0] ?? '', /a cluster of 3 .*\(new\)/s)
    })
    assert.match(world.said[0] ?? '', /deleted all data/)
    await withCluster([], async ({ printed }) => {
      assert.match(printed[0] ?? '', /a cluster of 3 .*\(kept from an earlier start\)/s)
    })
  })
})
