// Child processes: what they say line by line, how they ended, and that nothing is left behind when we die, not even a
// paused one.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { isGone, processState as stateOf } from './testing/process-state.ts'
import { type Child, type ChildExit, startChild } from './child-process.ts'

interface Run {
  readonly child: Child
  readonly lines: string[]
  readonly ended: Promise<ChildExit>
}

function run(script: string, program = '/bin/sh'): Run {
  const lines: string[] = []
  const ended = Promise.withResolvers<ChildExit>()
  const child = startChild({
    program,
    args: ['-c', script],
    environment: { PATH: process.env['PATH'], GIVEN: 'x y' },
    onLine: (line, from) => lines.push(`${from}: ${line}`),
    onExit: ended.resolve,
  })
  return { child, lines, ended: ended.promise }
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5000
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, 'it did not come to that in 5 s')
    await sleep(20)
  }
}

test('lines, the last one without its line feed too, and the exit code', async () => {
  const { lines, ended } = run('echo "$GIVEN"; echo oops >&2; printf last; exit 3')
  assert.deepEqual(await ended, { code: 3, signal: null })
  assert.deepEqual(lines.toSorted(), ['err: oops', 'out: last', 'out: x y'])
})

test('a line without end comes in pieces', async () => {
  const { lines, ended } = run('head -c 100000 /dev/zero | tr "\\0" x')
  await ended
  assert.ok(lines.length > 1)
  assert.equal(lines.map((line) => line.slice(5)).join('').length, 100_000)
})

test('signals, and a program that is not there', async () => {
  const killed = run('read x')
  killed.child.signal('SIGKILL')
  assert.deepEqual(await killed.ended, { code: null, signal: 'SIGKILL' })
  const missing = run('', '/no/such/program')
  assert.equal(missing.child.pid, undefined)
  const { error } = await missing.ended
  assert.match(error ?? '', /ENOENT/)
  for (const act of ['pause', 'resume'] as const) missing.child[act]()
  missing.child.signal('SIGTERM')
})

test('pause and resume', async () => {
  const { child, ended } = run('read x; exit 4')
  const pid = child.pid ?? assert.fail('not started')
  child.pause()
  await until(async () => (await stateOf(pid)) === 'T')
  child.resume()
  await until(async () => (await stateOf(pid)) === 'S')
  child.pause()
  child.signal('SIGKILL')
  assert.deepEqual(await ended, { code: null, signal: 'SIGKILL' })
})

test('when we die, the children learn it, a paused one too', async () => {
  const module = join(import.meta.dirname, 'child-process.ts')
  const parent = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `const { startChild } = await import(${JSON.stringify(module)})
const start = () => startChild({ program: '/bin/sh', args: ['-c', 'read x'], environment: {}, onLine() {}, onExit() {} })
const [one, two] = [start(), start()]
two.pause()
console.log(one.pid, two.pid)`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const text = await new Promise<string>((resolve) =>
    parent.stdout.on('data', (chunk: Buffer) => resolve(chunk.toString())),
  )
  const [one = 0, two = 0] = text.trim().split(' ').map(Number)
  await until(async () => (await stateOf(two)) === 'T')
  assert.equal(await stateOf(one), 'S')
  parent.kill('SIGKILL')
  await until(async () => (await isGone(one)) && (await isGone(two)))
})
