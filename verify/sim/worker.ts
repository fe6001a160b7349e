// One process of the pool: runs the seeds that it is sent, one after the other.

import { BUGS } from './bugs.ts'
import type { Task } from './pool.ts'
import { runSeed } from './run.ts'
import { summarize } from './summary.ts'

// Of an error that the product expects nobody reads the stack; of one that is a finding the first frames are enough.
Error.stackTraceLimit = 5

process.on('message', (task: Task) => {
  const bug = BUGS.find(({ name }) => name === task.bug)
  const { seed, mode, nodes } = task
  const options = { seed, mode, nodes, bug }
  runSeed(options).then(
    (result) => process.send?.(summarize(result, options)),
    (error: unknown) => {
      process.stderr.write(`seed ${seed}: ${String(error)}\n`)
      process.exit(1)
    },
  )
})
