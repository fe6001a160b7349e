// The start command on the real disk with a node that does nothing: options, messages, signals, reset.

import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { DiskError } from '../../env/disk.ts'
import { readSecretFile } from '../../env/node/secret-file.ts'
import { nodeEnv } from '../../env/node/node-env.ts'
import { NetError } from '../../env/network.ts'
import { runProgram } from '../program.ts'
import { REPEAT_MS } from '../stopping.ts'
import { type RunningNode, startCommand, type StartWorld } from './start.ts'
import type { NodeOptions } from '../options-start.ts'

const folder = mkdtempSync(join(tmpdir(), 'chronik-start-'))
after(() => rmSync(folder, { recursive: true }))

class Exit extends Error {
  readonly code: number
  constructor(code: number) {
    super(`exit ${code}`)
    this.code = code
  }
}

class FakeWorld implements StartWorld {
  environment: Record<string, string> = {}
  readonly workingDirectory = folder
  readonly printed: string[] = []
  readonly said: string[] = []
  ask: StartWorld['ask'] = undefined
  options: NodeOptions | undefined
  exitCode: number | undefined
  stopMs = 0
  failure: Error | undefined
  /** Called once the node has started. */
  onStarted: () => void = () => this.signal('SIGTERM')
  #listener: ((signal: string) => void) | undefined

  readonly makeEnv: StartWorld['makeEnv'] = async (log) =>
    nodeEnv({ log: { ...log, write: () => {} } })
  readonly readSecret = readSecretFile
  readonly print = (text: string): void => void this.printed.push(text)
  readonly say = (text: string): void => void this.said.push(text)
  readonly signals = {
    on: (listener: (signal: string) => void) => {
      this.#listener = listener
      return () => void (this.#listener = undefined)
    },
  }
  readonly inputEnd = {
    on: (listener: (signal: string) => void) => {
      this.endInput = () => listener('end of input')
      return () => void (this.endInput = undefined)
    },
  }
  endInput: (() => void) | undefined
  readonly exitNow = (code: 0 | 1): never => {
    this.exitCode = code
    throw new Exit(code)
  }

  signal(name: string): void {
    try {
      this.#listener?.(name)
    } catch (error) {
      if (!(error instanceof Exit)) throw error
    }
  }

  readonly startNode = async (options: NodeOptions): Promise<RunningNode> => {
    this.options = options
    if (this.failure !== undefined) throw this.failure
    setImmediate(() => this.onStarted())
    return {
      listeners: options.listeners.map(({ name, host, port }) => ({
        name,
        advertised: { host, port },
      })),
      http: options.http,
      stop: () => sleep(this.stopMs),
    }
  }
}

async function run(world: FakeWorld, ...args: string[]): Promise<{ code: number; errors: string }> {
  const errors: string[] = []
  const write = process.stderr.write.bind(process.stderr)
  process.stderr.write = ((text: string) => errors.push(text) > 0) as typeof process.stderr.write
  try {
    const table = [
      { name: 'start', summary: '', load: async () => ({ command: () => startCommand(world) }) },
    ]
    const code = await runProgram(['start', ...args], table)
    return { code, errors: errors.join('') }
  } finally {
    process.stderr.write = write
  }
}

describe('starting', () => {
  test('says where it listens and where the data is', async () => {
    const world = new FakeWorld()
    const { code } = await run(
      world,
      '--data-dir',
      'fresh',
      '--kafka',
      '127.0.0.1:21401',
      '--http',
      'off',
    )
    assert.equal(code, 0)
    assert.equal(world.options?.dataDir, join(folder, 'fresh'))
    const [text = ''] = world.printed
    assert.match(text, /Kafka +127\.0\.0\.1:21401\n/)
    assert.match(text, /fresh \(new\)/)
    assert.doesNotMatch(text, /HTTP|kcat/)
    assert.deepEqual(world.said, ['stopping (SIGTERM) …', 'stopped'])
  })

  test('says that it kept data, and gives lines to paste when asked', async () => {
    mkdirSync(join(folder, 'old'))
    writeFileSync(join(folder, 'old', 'checkpoint'), '')
    const world = new FakeWorld()
    await run(world, '--data-dir', './x/../old', '--hints')
    const [text = ''] = world.printed
    assert.match(text, /old \(kept from an earlier start\)/)
    for (const client of ['kcat -P -b 127.0.0.1:9092', '# Java', '# Python', '# Node']) {
      assert.ok(text.includes(client), client)
    }
  })

  test('takes the file, the environment and flags, in that order', async () => {
    writeFileSync(join(folder, 'chronik.toml'), 'node.id = 2\nnum.partitions = 2\nport.base = 2')
    const world = new FakeWorld()
    world.environment = { CHRONIK_CONFIG: 'chronik.toml', CHRONIK_NUM_PARTITIONS: '3' }
    await run(world, '--port-base', '4')
    assert.deepEqual([world.options?.nodeId, world.options?.config], [2, { 'num.partitions': '3' }])
    assert.equal(world.options?.listeners[0]?.port, 4)
  })

  test('warns when others can reach it', async () => {
    const world = new FakeWorld()
    await run(world, '--kafka', '0.0.0.0:1', '--advertised-kafka', 'example.org')
    assert.match(world.said[0] ?? '', /warning: 0\.0\.0\.0:1 .*no TLS, SASL or ACL/)
  })
})

describe('a member of a cluster', () => {
  const peers = '1@127.0.0.1:9192,2@127.0.0.1:9193,3@127.0.0.1:9194'
  const secretFile = (text: string, mode = 0o600): string => {
    const path = join(folder, `secret-${text.trim().length}-${mode}`)
    writeFileSync(path, text, { mode })
    return path
  }

  test('is started with its peers, its rack and the secret', async () => {
    const world = new FakeWorld()
    const secret = secretFile('0123456789abcdef\n')
    const { code } = await run(
      world,
      ...['--peers', peers, '--raft', '127.0.0.1:9192', '--rack', 'a'],
      ...['--cluster-secret-file', secret],
    )
    assert.equal(code, 0)
    assert.equal(world.options?.cluster?.secret, '0123456789abcdef')
    assert.deepEqual(world.options?.cluster?.raft, { host: '127.0.0.1', port: 9192 })
    assert.equal(world.options?.cluster?.peers.length, 3)
    assert.equal(world.options?.rack, 'a')
    assert.match(world.printed[0] ?? '', /Raft +127\.0\.0\.1:9192 \(of the nodes 1, 2, 3\)\n/)
    assert.deepEqual(world.said, ['stopping (SIGTERM) …', 'stopped'])
  })

  test('warns of an even number, and of a secret that everybody can read', async () => {
    const world = new FakeWorld()
    const secret = secretFile('0123456789abcdefg', 0o644)
    const two = peers.slice(0, peers.lastIndexOf(','))
    await run(world, '--peers', two, '--cluster-secret-file', secret)
    assert.match(world.said[0] ?? '', /warning: every user .* chmod 600 /)
    assert.match(world.said[1] ?? '', /warning: 2 nodes survive the loss of 0/)
  })

  test('is refused with what to do', async () => {
    const refused = async (code: number, message: RegExp, ...args: string[]) => {
      const outcome = await run(new FakeWorld(), ...args)
      assert.equal(outcome.code, code)
      assert.match(outcome.errors, message)
    }
    const second = ['--node-id', '2', '--peers', peers]
    await refused(2, /Raft port is 9192; make them/, ...second, '--raft', '127.0.0.1:9192')
    await refused(2, /a:1 can be reached.*--cluster-secret-file/, '--peers', '1@a:1,2@b:1')
    const secret = (path: string) => ['--peers', peers, '--cluster-secret-file', path]
    await refused(1, /there is no cluster secret file .*none; make one/, ...secret('none'))
    await refused(1, /is empty; make one with/, ...secret(secretFile(' \n')))
    await refused(2, /has 5 characters and needs at least 16/, ...secret(secretFile('short')))
    await refused(1, /can't read .*more than 4096/, ...secret(secretFile('x'.repeat(5000))))
    await refused(1, /can't read the cluster secret file/, ...secret(folder))
  })
})

describe('wrong use ends with 2 and says what is wrong', () => {
  const cases: readonly (readonly [args: string[], message: RegExp])[] = [
    [['--node-id', 'x'], /Not an integer/],
    [['--nod-id', '1'], /Did you mean --node-id/],
    [['extra'], /too many arguments/],
    [['--config', 'missing.toml'], /missing\.toml: there is no such file/],
    [['--config', 'broken.toml'], /broken\.toml:2:\d+: /],
    [['--yes'], /--yes goes with --reset/],
    [['--set', 'num.prtitions=1'], /did you mean num\.partitions/],
  ]
  writeFileSync(join(folder, 'broken.toml'), 'a = 1\nb = = 2\n')
  for (const [args, message] of cases) {
    test(args.join(' '), async () => {
      const { code, errors } = await run(new FakeWorld(), ...args)
      assert.equal(code, 2)
      assert.match(errors, message)
    })
  }
})

describe('what keeps a node from starting ends with 1 and says what to do', () => {
  const used = (port: number) =>
    new NetError(
      'EADDRINUSE',
      `listen on 127.0.0.1:${port}: listen EADDRINUSE: address already in use`,
    )
  const cases: readonly (readonly [Error, RegExp])[] = [
    [used(9092), /127\.0\.0\.1:9092 is in use by another program; stop that one, or .*--kafka/],
    [used(6092), /127\.0\.0\.1:6092 is in use by another program; stop that one, or .*--http off/],
    [
      new DiskError('LOCKED', 'lock', '/d/lock', 'held by process 7'),
      /in use, held by process 7; stop that/,
    ],
    [new DiskError('EACCES', 'makeDirectory', '/d', ''), /may not write to \/d/],
    [new Error('a defect'), /unexpected failure[^]*a defect\n {4}at /],
  ]
  for (const [failure, message] of cases) {
    test(failure.message, async () => {
      const world = new FakeWorld()
      world.failure = failure
      const { code, errors } = await run(world)
      assert.equal(code, 1)
      assert.match(errors, message)
    })
  }
})

test('a data directory below a file is named', async () => {
  writeFileSync(join(folder, 'a-file'), '')
  const { code, errors } = await run(new FakeWorld(), '--data-dir', 'a-file/below')
  assert.equal(code, 1)
  assert.match(errors, /a-file\/below is a file where a directory is needed; give another/)
})

describe('signals', () => {
  test('one key stroke that arrives twice is one signal', async () => {
    const world = new FakeWorld()
    world.stopMs = 20
    world.onStarted = () => {
      world.signal('SIGINT')
      world.signal('SIGINT')
    }
    assert.equal((await run(world)).code, 0)
    assert.equal(world.exitCode, undefined)
  })

  test('a second signal ends the process at once', async () => {
    const world = new FakeWorld()
    world.stopMs = REPEAT_MS + 100
    world.onStarted = () => {
      world.signal('SIGINT')
      setTimeout(() => world.signal('SIGINT'), REPEAT_MS + 20)
    }
    await run(world)
    assert.equal(world.exitCode, 1)
    assert.ok(world.said.some((text) => text.includes('second signal')))
  })
})

test('stops when its input ends, where asked to', async () => {
  const world = new FakeWorld()
  world.onStarted = () => world.endInput?.()
  assert.equal((await run(world, '--stop-with-stdin')).code, 0)
  assert.deepEqual(world.said, ['stopping (end of input) …', 'stopped'])
  const other = new FakeWorld()
  other.onStarted = () => {
    assert.equal(other.endInput, undefined)
    other.signal('SIGTERM')
  }
  await run(other)
  assert.deepEqual(other.said, ['stopping (SIGTERM) …', 'stopped'])
})

describe('reset', () => {
  const fill = (name: string, file = 'checkpoint'): string => {
    const path = join(folder, name)
    mkdirSync(join(path, 'logs', 'deep'), { recursive: true })
    writeFileSync(join(path, file), '')
    writeFileSync(join(path, 'logs', 'deep', 'x'), '')
    return path
  }

  test('refuses without a terminal, unless told', async () => {
    const path = fill('reset1')
    const refused = await run(new FakeWorld(), '--data-dir', path, '--reset')
    assert.equal(refused.code, 1)
    assert.match(refused.errors, /no terminal.*--reset --yes/)
    assert.ok(existsSync(join(path, 'checkpoint')))
    assert.equal((await run(new FakeWorld(), '--data-dir', path, '--reset', '--yes')).code, 0)
    assert.ok(!existsSync(join(path, 'checkpoint')))
    assert.ok(!existsSync(join(path, 'logs')))
  })

  test('asks, and takes no for an answer', async () => {
    const path = fill('reset2')
    const world = new FakeWorld()
    let asked = ''
    world.ask = async (question) => {
      asked = question
      return false
    }
    assert.equal((await run(world, '--data-dir', path, '--reset')).code, 1)
    assert.match(asked, /reset2\?/)
    assert.ok(existsSync(join(path, 'checkpoint')))
    world.ask = async () => true
    assert.equal((await run(world, '--data-dir', path, '--reset')).code, 0)
    assert.ok(!existsSync(join(path, 'checkpoint')))
  })

  test("leaves what is not a node's", async () => {
    const path = fill('reset3', 'thesis.tex')
    const { code, errors } = await run(new FakeWorld(), '--data-dir', path, '--reset', '--yes')
    assert.equal(code, 1)
    assert.match(errors, /holds thesis\.tex/)
    assert.ok(existsSync(join(path, 'thesis.tex')))
  })

  test('leaves the data of a running node', async () => {
    const path = fill('reset4')
    const lock = await nodeEnv().disk.lock(join(path, 'lock'))
    const { code, errors } = await run(new FakeWorld(), '--data-dir', path, '--reset', '--yes')
    await lock.release()
    assert.equal(code, 1)
    assert.match(errors, /a node is running/)
    assert.ok(existsSync(join(path, 'checkpoint')))
  })
})
