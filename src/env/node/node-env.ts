// The real world.

import type { Env } from '../env.ts'
import { createLogger, type LogOptions } from './logger.ts'
import { NodeClock, NodeRandom, NodeTimers } from './node-clock.ts'
import { NodeDisk } from './node-disk.ts'
import { NodeHost } from './node-host.ts'
import { NodeNetwork } from './node-network.ts'

export interface NodeEnvOptions {
  readonly log?: LogOptions
}

export function nodeEnv(options: NodeEnvOptions = {}): Env {
  return {
    clock: new NodeClock(),
    timers: new NodeTimers(),
    random: new NodeRandom(),
    disk: new NodeDisk(),
    network: new NodeNetwork(),
    log: createLogger(options.log),
    host: new NodeHost({ json: options.log?.json ?? false }),
  }
}
