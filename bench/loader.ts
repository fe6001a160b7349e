// Compiles load.c, the bench's producer, when it is missing or older than its source.

import { existsSync, mkdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { cacheDirectory, provide } from '../test/compat/install.ts'
import { runOk } from '../test/compat/process.ts'

export async function buildLoader(): Promise<string> {
  const why = await provide('librdkafka-dev')
  if (why !== undefined) throw new Error(why)
  const source = path.join(import.meta.dirname, 'load.c')
  const loader = path.join(cacheDirectory, 'load')
  mkdirSync(cacheDirectory, { recursive: true })
  if (!existsSync(loader) || statSync(loader).mtimeMs < statSync(source).mtimeMs) {
    await runOk('cc', ['-O2', '-o', loader, source, '-lrdkafka'])
  }
  return loader
}
