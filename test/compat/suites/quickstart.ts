// The lines that `chronik start` prints for people to paste, run as they are: each must end well, and the record that it
// promises must be in the topic.

import path from 'node:path'
import { QUICKSTART_TOPIC, quickstarts } from '../../../src/cli/quickstart.ts'
import type { Quickstart } from '../../../src/cli/quickstart.ts'
import { check } from '../clients/host.ts'
import { kafkaLibraries } from '../install.ts'
import { run, runOk } from '../process.ts'
import type { Context, Suite } from '../suite.ts'

const repository = path.resolve(import.meta.dirname, '../../..')

export const quickstartSuite: Suite = {
  name: 'quickstart',
  needs: ['kcat', 'confluent', 'java'],
  tests(context) {
    return quickstarts(context.server.bootstrap).map((lines) => ({
      name: `the lines for ${lines.client}`,
      run: () => paste(context, lines),
    }))
  },
}

async function paste(context: Context, lines: Quickstart): Promise<void> {
  // The system's Python has Debian's client; this run's own Node comes first.
  const env = { PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin` }
  if (lines.reader === 'sh') {
    await runOk('sh', ['-e', '-c', lines.text], { env, cwd: repository })
  } else {
    const shell = await run('jshell', ['--class-path', path.join(kafkaLibraries, '*')], {
      input: `${lines.text}\n/exit\n`,
    })
    check(shell.code === 0, `jshell ended with ${shell.code}\n${shell.stdout.toString()}`)
  }
  const { stdout } = await context.kcat.kcat([
    '-C',
    '-t',
    QUICKSTART_TOPIC,
    '-o',
    'beginning',
    '-e',
    '-q',
  ])
  check(
    stdout.toString().split('\n').includes(lines.writes),
    `'${lines.writes}' is not in the topic:\n${stdout.toString()}`,
  )
}
