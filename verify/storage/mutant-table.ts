// The table in docs/mutants.md: which test kills each mutant. The tool writes it, and reads it back to try that test first.

import type { Mutant } from './find-mutants.ts'

/** What fails on a mutant. */
export type Killer =
  | { readonly kind: 'unit'; readonly file: string; readonly test: string }
  | { readonly kind: 'fuzz'; readonly seed: number }
  | { readonly kind: 'hang' | 'crash' }

/** By the mutant's key. */
export type KillerTable = ReadonlyMap<string, Killer>

const HEAD = `# Mutants of the storage

What \`npm run mutants -- --write\` found, and what it tries first the next time. Each line is one change to \`src/storage\`: a call that
makes something durable left out or not waited for, a truncation left out, or a comparison of CRCs, sequence numbers,
generations, epochs or versions that always or never holds. Beside it stands the test that fails on it: a unit test of
the room, or a seed of the storage fuzz (\`npm run fuzz -- --seed N\`).
`

const ROW = /^\| `(.+)` \| (.+) \|$/
const UNIT = /^(.+\.test\.ts): (.+)$/
const OTHERS = { hang: 'the tests never end', crash: 'the tests can not even be run' } as const
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
  reasons: Readonly<Record<string, string>>,
): string {
  const killed = mutants.filter((mutant) => killers.has(mutant.key)).length
  const equivalent = mutants.filter((mutant) => reasons[mutant.key] !== undefined).length
  const lines = [
    HEAD,
    `${mutants.length} mutants: ${killed} killed, ${equivalent} that no test can tell from the original.`,
  ]
  for (const file of new Set(mutants.map((mutant) => mutant.file))) {
    lines.push('', `## ${file}`, '', '| mutant | what fails |', '|---|---|')
    for (const { key } of mutants.filter((mutant) => mutant.file === file)) {
      const killer = killers.get(key)
      const reason = reasons[key]
      const what =
        reason !== undefined
          ? `nothing, and rightly so: ${reason}`
          : killer === undefined
            ? 'nothing yet'
            : describeKiller(killer)
      lines.push(`| \`${escaped(key.slice(file.length + 1))}\` | ${escaped(what)} |`)
    }
  }
  return `${lines.join('\n')}\n`
}

const escaped = (text: string): string => text.replaceAll('|', '\\|')
const unescaped = (text: string): string => text.replaceAll('\\|', '|')
