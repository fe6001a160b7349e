// The real world of the commands that talk to a cluster.

import { onSignal } from '../env/node/signals.ts'
import { NodeClock, NodeRandom, NodeTimers } from '../env/node/node-clock.ts'
import { NodeNetwork } from '../env/node/node-network.ts'
import { terminalAsk } from './ask.ts'
import type { DataWorld, Output } from './data-world.ts'

export function realDataWorld(): DataWorld {
  const input = new StandardInput()
  return {
    environment: process.env,
    env: {
      clock: new NodeClock(),
      timers: new NodeTimers(),
      random: new NodeRandom(),
      network: new NodeNetwork(),
    },
    input,
    stopInput: () => input.stop(),
    inputIsTerminal: process.stdin.isTTY,
    output: new StreamOutput(process.stdout),
    say: (text) => {
      process.stderr.write(`${text}\n`)
    },
    progress: process.stderr.isTTY
      ? (text) => {
          process.stderr.write(`\r\u001b[K${text}`)
        }
      : undefined,
    ask: terminalAsk(),
    onStop: (listener) => onSignal(['SIGINT', 'SIGTERM', 'SIGHUP'], listener),
  }
}

class StandardInput {
  #stopped = false

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of process.stdin) yield Buffer.from(chunk)
    } catch (error) {
      if (!this.#stopped) throw error
    }
  }

  stop(): void {
    this.#stopped = true
    process.stdin.destroy()
  }
}

class StreamOutput implements Output {
  readonly #stream: NodeJS.WriteStream
  #closed = false
  #wake: (() => void) | undefined

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      this.#closed = true
      this.#wake?.()
    })
    stream.on('drain', () => this.#wake?.())
  }

  get isClosed(): boolean {
    return this.#closed
  }

  write(text: string | Uint8Array): Promise<void> {
    if (this.#closed || this.#stream.write(text)) return Promise.resolve()
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined
        resolve()
      }
    })
  }
}
