// Completes package-lock.json after `npm install`: `npm run complete-lock`. Where a platform's optional package can't be had
// at that moment, npm leaves it out of the lock, and `npm ci` then refuses that lock on every machine. The missing entries
// follow from the package that names them, but for their checksum.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

interface LockEntry {
  readonly version?: string
  readonly license?: string
  readonly dev?: boolean
  readonly engines?: unknown
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

export interface Lock {
  readonly packages: Readonly<Record<string, LockEntry>>
}

/** Optional packages that are named and have no entry: name, exact version, and who names them. */
export function missingFromLock(
  lock: Lock,
): { readonly name: string; readonly version: string; readonly from: LockEntry }[] {
  return Object.values(lock.packages).flatMap((from) =>
    Object.entries(from.optionalDependencies ?? {})
      .filter(([name]) => lock.packages[`node_modules/${name}`] === undefined)
      .map(([name, version]) => ({ name, version, from })),
  )
}

export function completeLock(lock: Lock): Lock {
  const packages: Record<string, unknown> = { ...lock.packages }
  for (const { name, version, from } of missingFromLock(lock)) {
    packages[`node_modules/${name}`] = {
      version,
      ...platformOf(name),
      ...(from.dev === true ? { dev: true } : {}),
      ...(from.license === undefined ? {} : { license: from.license }),
      optional: true,
      ...(from.engines === undefined ? {} : { engines: from.engines }),
    }
  }
  const sorted = Object.entries(packages).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return { ...lock, packages: Object.fromEntries(sorted) as Lock['packages'] }
}

/** Platform packages are named `…-<os>-<cpu>-<libc>`, the last part where it matters. */
function platformOf(name: string): { os: string[]; cpu: string[]; libc?: string[] } {
  const match = /(android|darwin|freebsd|linux|openharmony|win32)-(\w+)(?:-(\w+))?$/.exec(name)
  const [, os, cpu, variant = ''] = match ?? []
  if (os === undefined || cpu === undefined) throw new Error(`${name} names no platform`)
  if (os !== 'linux') return { os: [os], cpu: [cpu] }
  const libc = variant.startsWith('musl')
    ? ['musl']
    : variant.startsWith('gnu')
      ? ['glibc']
      : undefined
  return { os: [os], cpu: [cpu], ...(libc === undefined ? {} : { libc }) }
}

if (import.meta.main) {
  const path = join(import.meta.dirname, '..', 'package-lock.json')
  const lock = JSON.parse(readFileSync(path, 'utf8')) as Lock
  writeFileSync(path, `${JSON.stringify(completeLock(lock), null, 2)}\n`)
}
