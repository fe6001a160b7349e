// One supervised node in virtual time: a crash is mended, an asked-for death is not, and whatever can't be is refused.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChildExit, ChildSpec } from '../../env/node/child-process.ts'
import { Simulation } from '../../env/sim/simulation.ts'
import { Failure } from '../failure.ts'
import { DevNode } from './dev-node.ts'

class Bench {
  readonly #simulation = new Simulation(1)
  readonly node: DevNode
  readonly said: string[] = []
  readonly logged: string[] = []
  /** What happened to processes, in order. */
  readonly trace: string[] = []
  refusal: string | undefined
  /** Whether the process obeys SIGTERM; SIGKILL always ends it. */
  obeys = true
  #spec: ChildSpec | undefined
  #pid = 0

  constructor(options: { readonly restart?: boolean } = {}) {
    const env = this.#simulation.host('here').boot()
    const address = { host: '127.0.0.1', port: 1 }
    this.node = new DevNode(
      {
        clock: env.clock,
        timers: env.timers,
        say: (text) => this.said.push(text),
        log: (_, line) => this.logged.push(line),
        startChild: (spec) => {
          this.#spec = spec
          const pid = ++this.#pid
          this.trace.push(`start ${pid}`)
          return {
            pid,
            signal: (name) => {
              this.trace.push(`${name} ${pid}`)
              if (name === 'SIGKILL' || this.obeys) this.end({ code: null, signal: name })
            },
            pause: () => this.trace.push(`pause ${pid}`),
            resume: () => this.trace.push(`resume ${pid}`),
          }
        },
      },
      {
        layout: {
          nodeId: 2,
          dataDir: '/d/node-2',
          logPath: '/d/node-2.log',
          kafka: address,
          raft: address,
          http: address,
        },
        command: { program: 'chronik', args: [], environment: {} },
        restart: options.restart ?? true,
        onRefused: (words) => (this.refusal = words),
      },
    )
    this.node.start()
  }

  say(line: string): void {
    this.#spec?.onLine(line, 'err')
  }

  end(how: Partial<ChildExit>): void {
    this.#simulation.after(1, () => this.#spec?.onExit({ code: null, signal: null, ...how }))
  }

  async crash(): Promise<void> {
    this.end({ code: 70 })
    await this.pass(1)
  }

  async pass(ms: number): Promise<void> {
    const untilMs = this.#simulation.nowMs + ms
    this.#simulation.after(ms, () => undefined)
    await this.#simulation.run({ untilMs })
  }

  get state(): string {
    return this.node.status.state
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.#simulation.settle(promise)
  }

  async fails(action: () => unknown, message: RegExp): Promise<void> {
    await assert.rejects(
      async () => this.settle(Promise.resolve().then(action)),
      (error) => error instanceof Failure && error.exitCode === 1 && message.test(error.message),
    )
  }
}

test('a crash is mended after 1 s, and later and later where it happens again at once', async () => {
  const bench = new Bench()
  for (const delayMs of [1000, 2000, 4000, 8000, 10_000, 10_000]) {
    const { restarts } = bench.node.status
    await bench.crash()
    assert.equal(bench.state, 'waiting')
    assert.equal(bench.node.status.ended, 'ended with code 70')
    await bench.pass(delayMs - 10)
    assert.equal(bench.state, 'waiting', `after ${delayMs - 10} ms`)
    await bench.pass(20)
    assert.equal(bench.state, 'up', `after ${delayMs + 10} ms`)
    assert.equal(bench.node.status.restarts, restarts + 1)
  }
  await bench.pass(10_001)
  await bench.crash()
  await bench.pass(1010)
  assert.equal(bench.state, 'up', 'it had lived long enough to be trusted')
})

test('a crash is told with its last words; errors at once; the rest only to the log', async () => {
  const bench = new Bench()
  bench.say('2026-11-22T05:00:00.123Z INFO  serving')
  bench.say('2026-11-22T05:00:00.123Z ERROR the disk is full')
  bench.say('chronik: 127.0.0.1:1 is in use by another program')
  assert.deepEqual(bench.said, ['node 2 │ 2026-11-22T05:00:00.123Z ERROR the disk is full'])
  await bench.crash()
  assert.deepEqual(bench.said.slice(1), [
    'node 2 │ 2026-11-22T05:00:00.123Z INFO  serving',
    'node 2 │ chronik: 127.0.0.1:1 is in use by another program',
    'node 2 │ ended with code 70; starting it again in 1 s; its log is /d/node-2.log',
  ])
  assert.deepEqual([bench.logged[0], bench.logged.length], ['--- started, pid 1', 5])
})

test('with --no-restart it stays dead until restart', async () => {
  const bench = new Bench({ restart: false })
  await bench.crash()
  await bench.pass(60_000)
  assert.deepEqual([bench.state, bench.node.status.pid], ['ended', null])
  await bench.settle(bench.node.restart())
  assert.equal(bench.state, 'up')
})

test('an asked-for death stays until restart', async () => {
  for (const action of ['kill', 'stop'] as const) {
    const bench = new Bench()
    await bench.settle(bench.node[action]())
    const state = action === 'kill' ? 'killed' : 'stopped'
    await bench.pass(60_000)
    assert.equal(bench.state, state)
    await bench.fails(() => bench.node[action](), /node 2 is not running: .*dev restart 2/)
    await bench.fails(() => bench.node.pause(), /node 2 is not running/)
    await bench.settle(bench.node.restart())
    assert.deepEqual([bench.state, bench.node.status.pid], ['up', 2])
    assert.deepEqual(bench.said, [])
  }
})

test('a node that waits to be started again can be killed, stopped and restarted', async () => {
  for (const action of ['kill', 'stop'] as const) {
    const bench = new Bench()
    await bench.crash()
    await bench.settle(bench.node[action]())
    await bench.pass(60_000)
    assert.equal(bench.state, action === 'kill' ? 'killed' : 'stopped')
  }
  const bench = new Bench()
  await bench.crash()
  await bench.settle(bench.node.restart())
  await bench.pass(60_000)
  assert.deepEqual(bench.trace, ['start 1', 'start 2'])
})

test('pause and resume, once each', async () => {
  const bench = new Bench()
  await bench.fails(() => bench.node.resume(), /node 2 is not paused/)
  bench.node.pause()
  assert.equal(bench.state, 'paused')
  await bench.fails(() => bench.node.pause(), /node 2 is paused already/)
  bench.node.resume()
  assert.equal(bench.state, 'up')
  bench.node.pause()
  await bench.settle(bench.node.stop())
  assert.equal(bench.state, 'stopped')
  const trace = ['start 1', 'pause 1', 'resume 1', 'pause 1', 'SIGTERM 1', 'resume 1']
  assert.deepEqual(bench.trace, trace)
})

test('a node that does not stop is told of, and can be killed', async () => {
  const bench = new Bench()
  bench.obeys = false
  await bench.fails(() => bench.node.stop(), /node 2 has not ended in 5000 ms; .*dev kill 2/)
  assert.equal(bench.state, 'stopping')
  await bench.fails(() => bench.node.pause(), /node 2 is not running: stopping/)
  await bench.settle(bench.node.kill())
  assert.equal(bench.state, 'killed')
})

test('restart of one that runs stops it first', async () => {
  const bench = new Bench()
  await bench.settle(bench.node.restart())
  assert.deepEqual(bench.trace, ['start 1', 'SIGTERM 1', 'start 2'])
  assert.equal(bench.node.status.restarts, 1)
})

test('what was asked for wrongly is not tried again', async () => {
  const bench = new Bench()
  bench.say('chronik: --set a: there is no such setting')
  bench.end({ code: 2 })
  await bench.pass(60_000)
  assert.equal(bench.state, 'ended')
  assert.equal(bench.refusal, 'chronik: --set a: there is no such setting')
  assert.deepEqual(bench.trace, ['start 1'])
})

test('retiring ends whatever there is, and nothing comes back', async () => {
  const waiting = new Bench()
  await waiting.crash()
  await waiting.settle(waiting.node.retire())
  await waiting.pass(60_000)
  assert.deepEqual(waiting.trace, ['start 1'])
  const stubborn = new Bench()
  stubborn.obeys = false
  const retired = stubborn.node.retire()
  await stubborn.pass(1500)
  stubborn.node.killNow()
  await stubborn.settle(retired)
  assert.deepEqual(stubborn.trace, ['start 1', 'SIGTERM 1', 'SIGKILL 1'])
  assert.equal(stubborn.state, 'stopped')
})
