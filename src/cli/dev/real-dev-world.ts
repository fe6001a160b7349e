// The real world of `chronik dev`.

import { startChild } from '../../env/node/child-process.ts'
import { callHttp } from '../../env/node/http-client.ts'
import { nodeEnv } from '../../env/node/node-env.ts'
import { NodeHttp } from '../../env/node/node-http.ts'
import { readPrivateFile, writePrivateFile } from '../../env/node/private-file.ts'
import { onSignal } from '../../env/node/signals.ts'
import { thisProgram } from '../../env/node/this-program.ts'
import { terminalAsk } from '../ask.ts'
import type { DevWorld } from './dev-world.ts'

export function realDevWorld(): DevWorld {
  // A reader of our output that goes away must not take the cluster with it.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  const { program, args, text } = thisProgram()
  return {
    environment: process.env,
    workingDirectory: process.cwd(),
    pid: process.pid,
    makeEnv: () => Promise.resolve(nodeEnv({ log: { level: 'warn' } })),
    self: { program, args },
    selfText: text,
    startChild,
    callHttp,
    http: new NodeHttp(),
    files: { read: readPrivateFile, write: writePrivateFile },
    signals: { on: (listener) => onSignal(['SIGINT', 'SIGTERM', 'SIGHUP'], listener) },
    exitNow: (code) => process.exit(code),
    print: (line) => void process.stdout.write(`${line}\n`),
    say: (line) => void process.stderr.write(`chronik: ${line}\n`),
    ask: terminalAsk(),
  }
}
