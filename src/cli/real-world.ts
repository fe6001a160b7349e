// The world of the start command: this process. What a node needs is loaded here, when it is needed, so that no other
// command pays for it.

import type { RunningNode, StartWorld } from './commands/start.ts'
import { flushCompileCache } from '../env/node/compile-cache.ts'
import { readSecretFile } from '../env/node/secret-file.ts'
import { onInputEnd, onSignal } from '../env/node/signals.ts'
import { terminalAsk } from './ask.ts'

/** After the first clients have connected. */
const COMPILE_CACHE_FLUSH_MS = 3_000

export function realWorld(): StartWorld {
  // A reader of our output that goes away must not take the node with it.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  return {
    environment: process.env,
    workingDirectory: process.cwd(),
    makeEnv: async (log) => {
      const { nodeEnv } = await import('../env/node/node-env.ts')
      return nodeEnv({ log })
    },
    readSecret: readSecretFile,
    startNode: async ({ log: _, ...options }, env): Promise<RunningNode> => {
      const { Chronik } = await import('../server/chronik.ts')
      const { http, cluster, rack, ...rest } = options
      const node = await Chronik.start({
        ...rest,
        ...(http === undefined ? {} : { http }),
        ...(cluster === undefined ? {} : { cluster }),
        ...(rack === undefined ? {} : { rack }),
        env,
      })
      const flush = env.timers.after(COMPILE_CACHE_FLUSH_MS, flushCompileCache)
      return {
        listeners: node.listeners.map(({ name, advertisedHost, advertisedPort }) => ({
          name,
          advertised: { host: advertisedHost, port: advertisedPort },
        })),
        http: node.http,
        stop: () => {
          flush.cancel()
          return node.stop()
        },
      }
    },
    signals: { on: (listener) => onSignal(['SIGINT', 'SIGTERM', 'SIGHUP'], listener) },
    inputEnd: { on: (listener) => onInputEnd(() => listener('end of input')) },
    exitNow: (code) => process.exit(code),
    print: (text) => void process.stdout.write(`${text}\n`),
    say: (text) => void process.stderr.write(`chronik: ${text}\n`),
    ask: terminalAsk(),
  }
}
