// The table of one target in docs/: which test kills each mutant. The tool writes it, and reads it back to try that test first.

import type { Mutant } from './find-mutants.ts'
import type { Target } from './targets.ts'

/** What fails on a mutant. */
export type Killer =
  | { readonly kind: 'unit'; readonly file: string; readonly test: string }
  | { readonly kind: 'fuzz'; readonly seed: number }
  | { readonly kind: 'hang' | 'crash' | 'nobody' }

/** By the mutant's key. */
export type KillerTable = ReadonlyMap<string, Killer>

const ROW = /^\| `(.+)` \| (.+) \|$/
const UNIT = /^(.+\.test\.ts): (.+)$/
const OTHERS = {
  hang: 'the tests never end',
  crash: 'the tests can not even be run',
  nobody: 'nothing yet',
} as const
const FUZZ = /^fuzz, seed (\d+)$/

export function parseTable(text: string): KillerTable {
  const table = new Map<string, Killer>()
  let heading = ''
  for (const line of text.split('\n')) {
    heading = /^## (.+)$/.exec(line)?.[1] ?? heading
    const [, place, by] = ROW.exec(line) ?? []
    if (place === undefined || by === undefined) continue
    const killer = parseKiller(unescaped(by))
    if (killer !== undefined) table.set(`${heading} ${unescaped(place)}`, killer)
  }
  return table
}

function parseKiller(text: string): Killer | undefined {
  const seed = FUZZ.exec(text)?.[1]
  if (seed !== undefined) return { kind: 'fuzz', seed: Number(seed) }
  if (text === OTHERS.hang) return { kind: 'hang' }
  if (text === OTHERS.crash) return { kind: 'crash' }
  if (text === OTHERS.nobody) return { kind: 'nobody' }
  const [, file, test] = UNIT.exec(text) ?? []
  if (file === undefined || test === undefined) return undefined
  return { kind: 'unit', file, test }
}

export function describeKiller(killer: Killer): string {
  switch (killer.kind) {
    case 'unit':
      return `${killer.file}: ${killer.test}`
    case 'fuzz':
      return `fuzz, seed ${killer.seed}`
    default:
      return OTHERS[killer.kind]
  }
}

/** One section per source file; `reasons` are those of the mutants that change nothing that can be seen. */
export function formatTable(
  mutants: readonly Mutant[],
  killers: KillerTable,
  { head, equivalent: reasons }: Pick<Target, 'head' | 'equivalent'>,
): string {
  const equivalent = mutants.filter((mutant) => reasons[mutant.key] !== undefined).length
  const tried = mutants.filter(({ key }) => killers.has(key) && reasons[key] === undefined)
  const survived = tried.filter(({ key }) => killers.get(key)?.kind === 'nobody').length
  const untried = mutants.length - equivalent - tried.length
  const counts = [
    `${tried.length - survived} killed`,
    `${equivalent} that no test can tell from the original`,
    ...(survived > 0 ? [`${survived} that no test has noticed yet`] : []),
    ...(untried > 0 ? [`${untried} not tried yet`] : []),
  ]
  const lines = [head, `${mutants.length} mutants: ${counts.join(', ')}.`]
  for (const file of new Set(mutants.map((mutant) => mutant.file))) {
    lines.push('', `## ${file}`, '', '| mutant | what fails |', '|---|---|')
    for (const { key } of mutants.filter((mutant) => mutant.file === file)) {
      const killer = killers.get(key)
      const reason = reasons[key]
      const what =
        reason !== undefined
          ? `nothing, and rightly so: ${reason}`
          : killer === undefined
            ? 'not tried yet'
            : describeKiller(killer)
      lines.push(`| \`${escaped(key.slice(file.length + 1))}\` | ${escaped(what)} |`)
    }
  }
  return `${lines.join('\n')}\n`
}

const escaped = (text: string): string => text.replaceAll('|', '\\|')
const unescaped = (text: string): string => text.replaceAll('\\|', '|')
