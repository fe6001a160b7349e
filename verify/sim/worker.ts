// One process of the pool: runs the seeds that it is sent, one after the other.

import { BUGS } from './bugs.ts'
import type { Task } from './pool.ts'
import { runSeed } from './run.ts'
import { summarize } from './summary.ts'

process.on('message', (task: Task) => {
  const bug = BUGS.find(({ name }) => name === task.bug)
  const { seed, mode } = task
  runSeed({ seed, mode, ...(bug === undefined ? {} : { bug }) }).then(
    (result) => process.send?.(summarize(result, mode, bug)),
    (error: unknown) => {
      process.stderr.write(`seed ${seed}: ${String(error)}\n`)
      process.exit(1)
    },
  )
})
