#!/usr/bin/env node
// The entry point of the command line. It checks the runtime before anything that an older one can't load, and turns on
// the compile cache before anything large.

import { useCompileCache } from '../env/node/compile-cache.ts'

const NODE_MAJOR_MIN = 24

if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) {
  process.stderr.write(
    `chronik: needs Node ${NODE_MAJOR_MIN} or newer; this is ${process.version} (${process.execPath})\n`,
  )
  process.exitCode = 1
} else {
  useCompileCache()
  const { runProgram } = await import('./program.ts')
  process.exitCode = await runProgram(process.argv.slice(2))
}
