// Our codec against Kafka's own Java classes, byte for byte; a program of its own (codec/run.ts says what it compares).

import path from 'node:path'
import { runOk } from '../process.ts'
import type { Suite } from '../suite.ts'

export const codecSuite: Suite = {
  name: 'codec',
  needs: ['java'],
  tests: () => [
    {
      name: 'every message and version, byte for byte as Kafka has it',
      timeoutMs: 300_000,
      run: async () => {
        const program = path.resolve(import.meta.dirname, '../codec/run.ts')
        await runOk(process.execPath, [program], { timeoutMs: 290_000 })
      },
    },
  ],
}
