// Leaves out, one by one, the faults without which a seed still fails in the same way.

import { runSeed, type SeedOptions } from './run.ts'

/** Resolves to an exit code: 1 when the seed fails, 0 when there is nothing to shrink. */
export async function shrink(options: SeedOptions, say: (line: string) => void): Promise<number> {
  const first = await runSeed(options)
  const names = new Set(first.problems.map(({ name }) => name))
  if (names.size === 0) {
    say(`seed ${options.seed} finds nothing`)
    return 0
  }
  const without = new Set(options.without)
  for (const fault of first.planned.toReversed()) {
    const fewer = new Set([...without, fault.index])
    const { problems } = await runSeed({ ...options, without: fewer })
    if (!problems.some(({ name }) => names.has(name))) continue
    without.add(fault.index)
    say(`fails without ${fault.name} at ${fault.atMs} ms`)
  }
  const left = first.planned.filter(({ index }) => !without.has(index))
  for (const { name, atMs } of left) say(`needs ${name} at ${atMs} ms`)
  const list = [...without].toSorted((a, b) => a - b).join()
  const nodes = options.nodes === undefined ? '' : ` --nodes ${options.nodes}`
  const planted = options.bug === undefined ? '' : ` --bug ${options.bug.name}`
  say(
    `npm run sim -- --seed ${options.seed} --mode ${options.mode}${nodes}${planted} --without ${list}`,
  )
  return 1
}
