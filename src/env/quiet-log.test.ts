import assert from 'node:assert/strict'
import { test } from 'node:test'
import { QuietLog } from './quiet-log.ts'
import { Simulation } from './sim/simulation.ts'

function rig(intervalMs: number) {
  const lines: string[] = []
  const simulation = new Simulation(1, { log: (line) => lines.push(line) })
  const { clock, log } = simulation.host('a').boot()
  const pass = (ms: number): Promise<unknown> => simulation.run({ untilMs: simulation.nowMs + ms })
  return { lines, pass, quiet: new QuietLog({ clock, log, intervalMs }) }
}

test('a cause is logged once an interval, with the count of those left out', async () => {
  const { lines, pass, quiet } = rig(60_000)
  for (let second = 0; second < 130; second++) {
    quiet.write('warn', 'one', 'it happened', {})
    if (second === 0) quiet.write('warn', 'two', 'something else', {})
    await pass(1_000)
  }
  assert.equal(lines.length, 4)
  assert.match(lines[2] ?? '', /it happened suppressed=59/)
  assert.match(lines[3] ?? '', /it happened suppressed=59/)
})

test('a cause that was gone is news when it comes back', async () => {
  const { lines, pass, quiet } = rig(1_000)
  quiet.write('info', 'one', 'it happened', {})
  quiet.write('info', 'one', 'it happened', {})
  assert.equal(lines.length, 1)
  quiet.forget('one')
  quiet.write('info', 'one', 'it happened', { where: 'here' })
  assert.equal(lines.length, 2)
  assert.match(lines[1] ?? '', /INFO .*it happened where=here$/)
  await pass(1_000)
})

test('a warning is a cause by its text, whatever its fields', async () => {
  const { lines, pass, quiet } = rig(1_000)
  for (const host of ['a', 'b', 'c']) quiet.warn('refused', { host })
  quiet.warn('closed', {})
  assert.equal(lines.length, 2)
  await pass(999)
  quiet.warn('refused', { host: 'd' })
  assert.equal(lines.length, 2)
  await pass(1)
  quiet.warn('refused', { host: 'e' })
  assert.match(lines[2] ?? '', /WARN .*refused host=e suppressed=3$/)
  await pass(1_000)
  quiet.warn('refused', { host: 'f' })
  assert.match(lines[3] ?? '', /refused host=f$/)
})
