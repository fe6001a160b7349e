// Log lines: their form, their levels, and the fields of children.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import type { Logger } from '../env.ts'
import { createLogger, type LogOptions } from './logger.ts'

function lines(options: LogOptions, use: (log: Logger) => void): string[] {
  const written: string[] = []
  const now = (): Date => new Date(Date.UTC(2026, 10, 22, 5, 0, 0, 123))
  use(createLogger({ ...options, now, write: (line) => written.push(line) }))
  return written
}

test('one plain line per event', () => {
  const written = lines({}, (log) => {
    log.info('listening', { host: '127.0.0.1', port: 9092 })
    log.child({ node: 1 }).warn('odd\nthing', { text: 'two words', empty: '', none: undefined })
    log.debug('dropped')
    log.error('bad', { quote: 'a"b', on: true, nil: null })
  })
  assert.deepEqual(written, [
    '2026-11-22T05:00:00.123Z INFO  listening host=127.0.0.1 port=9092\n',
    '2026-11-22T05:00:00.123Z WARN  odd | thing node=1 text="two words" empty=""\n',
    '2026-11-22T05:00:00.123Z ERROR bad quote="a\\"b" on=true nil=null\n',
  ])
})

test('json and levels', () => {
  const written = lines({ json: true, level: 'warn' }, (log) => {
    log.info('dropped')
    log.child({ node: 1 }).warn('kept', { port: 1 })
  })
  assert.equal(written.length, 1)
  assert.deepEqual(JSON.parse(written[0] ?? ''), {
    time: '2026-11-22T05:00:00.123Z',
    level: 'warn',
    message: 'kept',
    node: 1,
    port: 1,
  })
  assert.deepEqual(
    lines({ level: 'silent' }, (log) => log.error('dropped')),
    [],
  )
})

test('fatal writes one line and exits with 70 at once', () => {
  const script = `
    import { nodeEnv } from ${JSON.stringify(new URL('./node-env.ts', import.meta.url).href)}
    setImmediate(() => console.log('went on'))
    nodeEnv().host.fatal('sync failed', new Error('EIO'))`
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  })
  assert.equal(child.status, 70)
  assert.equal(child.stdout, '')
  assert.match(child.stderr, /^\S+ ERROR fatal: sync failed cause="Error: EIO[^\n]*\n$/)
})
