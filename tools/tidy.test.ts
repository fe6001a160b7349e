// The house rules, checked on the repository; and on planted bad samples, so that a rule that can't fail is found out.

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { lintConfigText } from './lint-config.ts'
import { importsOf, rules, type Problem, type SourceFile } from './tidy.ts'

const root = join(import.meta.dirname, '..')
const isText =
  /\.(ts|mts|mjs|js|json|md|toml|yaml|yml|sh|java|py|go|rs|tla|cfg|txt)$|(^|\/)[^.]+$|(^|\/)\.[^.]+$/

/** What the repository holds or is about to: files known to git and new ones that it does not ignore. */
function repositoryFiles(): SourceFile[] {
  const listed = existsSync(join(root, '.git'))
    ? execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
        cwd: root,
        encoding: 'utf8',
      })
    : execFileSync(
        'find',
        ['.', '-type', 'f', '-not', '-path', './node_modules/*', '-not', '-path', './dist/*'],
        {
          cwd: root,
          encoding: 'utf8',
        },
      )
  return listed
    .split('\n')
    .map((path) => path.replace(/^\.\//, ''))
    .filter((path) => path !== '' && isText.test(path) && !path.includes('fixtures/'))
    .filter((path) => existsSync(join(root, path)))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

const show = (problems: readonly Problem[]): string =>
  problems.map(({ path, line, detail }) => `  ${path}:${line} ${detail}`).join('\n')

describe('the repository', () => {
  const files = repositoryFiles()

  test('is read at all', () => {
    assert.ok(files.some(({ path }) => path === 'src/base/assert.ts'))
  })

  for (const rule of rules) {
    test(`${rule.name}: ${rule.why}`, () => {
      const problems = rule.check(files)
      assert.equal(problems.length, 0, `\n${show(problems)}`)
    })
  }

  test('has the lint configuration that the layer table gives (else: npm run lint-config)', () => {
    assert.equal(readFileSync(join(root, '.oxlintrc.json'), 'utf8'), lintConfigText())
  })
})

/** For each rule, samples that it must report. */
const canaries: Readonly<Record<string, readonly SourceFile[]>> = {
  layers: [
    { path: 'src/raft/x.ts', text: "import { a } from '../env/a.ts'\n" },
    { path: 'src/env/x.ts', text: "import type {\n  A,\n} from '../protocol/a.ts'\n" },
    { path: 'src/base/x.ts', text: "export { a } from '../cli/a.ts'\n" },
    { path: 'src/storage/x.ts', text: "const a = await import('../broker/a.ts')\n" },
    { path: 'src/broker/x.ts', text: "import '../../verify/a.ts'\n" },
    { path: 'src/nowhere/x.ts', text: '' },
  ],
  'file-head': [{ path: 'src/base/x.ts', text: "import a from './a.ts'\n// Late.\n" }],
  'file-length': [{ path: 'src/base/x.ts', text: '\n'.repeat(501) }],
  columns: [{ path: 'src/base/x.ts', text: `// ${'x'.repeat(138)}\n` }],
  finished: [{ path: 'README.md', text: ['TO', 'DO: write it'].join('') }],
  'machine-paths': [{ path: 'src/base/x.ts', text: `const a = '${['/ho', 'me/me'].join('')}'` }],
  'registry-hosts': [
    { path: '.npmrc', text: ['regis', 'try=https://example.org'].join('') },
    {
      path: 'package-lock.json',
      text: ['"resolved": "https://regis', 'try.example.org/a"'].join(''),
    },
  ],
  suppressions: [{ path: 'src/base/x.ts', text: ['// @ts-', 'ignore'].join('') }],
  'module-state': [
    { path: 'src/base/x.ts', text: 'export let count = 0\n' },
    { path: 'src/base/y.ts', text: 'const seen = new Map<string, number>()\n' },
    { path: 'src/base/z.ts', text: 'const seen: string[] = []\n' },
  ],
  barrels: [
    { path: 'src/base/index.ts', text: '' },
    { path: 'src/base/x.ts', text: "export * from './y.ts'\n" },
  ],
  'doc-paths': [
    { path: 'README.md', text: 'see [this](docs/missing.md)' },
    { path: 'docs/ARCHITECTURE.md', text: 'see `src/base/missing.ts`' },
  ],
  pins: [{ path: 'package.json', text: '{"devDependencies":{"a":"^1.2.3"}}' }],
  declared: [
    { path: 'src/base/x.ts', text: "import a from 'undeclared'\n" },
    { path: 'package.json', text: '{"dependencies":{"undecided":"1.2.3"}}' },
  ],
  'complete-lock': [
    {
      path: 'package-lock.json',
      text: '{"packages":{"node_modules/a":{"optionalDependencies":{"a-linux-x64":"1.2.3"}}}}',
    },
  ],
  licences: [
    { path: 'package-lock.json', text: '{"packages":{"node_modules/a":{"license":"GPL-3.0"}}}' },
  ],
}

describe('canaries', () => {
  for (const rule of rules) {
    test(`${rule.name} can fail`, () => {
      const samples = canaries[rule.name] ?? []
      assert.ok(samples.length > 0, 'the rule has no canary')
      const reported = new Set(rule.check(samples).map(({ path }) => path))
      assert.deepEqual([...reported].toSorted(), samples.map(({ path }) => path).toSorted())
    })
  }

  test('imports are found in all their forms', () => {
    const text = [
      "import a from 'a'",
      "import type { B } from 'b'",
      "import {\n  c,\n  type D,\n} from 'c'",
      "export { e } from 'e'",
      "import 'f'",
      "const g = await import('g')",
    ].join('\n')
    assert.deepEqual(
      importsOf(text).map(({ specifier }) => specifier),
      ['a', 'b', 'c', 'e', 'f', 'g'],
    )
  })
})

/** Bad code by the rule of the lint that must report it. */
const lintCanaries: readonly (readonly [rule: string, path: string, text: string])[] = [
  [
    'no-restricted-imports',
    'src/raft/layer.ts',
    "import { a } from '../env/a.ts'\nexport const b = a\n",
  ],
  [
    'no-restricted-imports',
    'src/broker/deep/layer.ts',
    "import { a } from '../../cli/a.ts'\nexport const b = a\n",
  ],
  [
    'no-restricted-imports',
    'src/broker/fs.ts',
    "import { readFileSync } from 'node:fs'\nexport const b = readFileSync\n",
  ],
  [
    'no-restricted-imports',
    'src/storage/zlib.ts',
    "import { gzipSync } from 'node:zlib'\nexport const b = gzipSync\n",
  ],
  [
    'no-restricted-imports',
    'src/records/zlib.ts',
    "import { gzip } from 'node:zlib'\nexport const b = gzip\n",
  ],
  [
    'no-restricted-imports',
    'src/records/random.ts',
    "import { randomBytes } from 'node:crypto'\nexport const b = randomBytes\n",
  ],
  ['no-restricted-globals', 'src/env/sim/timer.ts', 'export const b = setTimeout\n'],
  ['no-restricted-globals', 'src/partition/date.ts', 'export const b = (): number => Date.now()\n'],
  [
    'no-restricted-globals',
    'src/partition/weak.ts',
    'export const b = (a: object): object => new WeakRef(a)\n',
  ],
  [
    'no-restricted-globals',
    'src/partition/micro.ts',
    'export const b = (): void => queueMicrotask(() => {})\n',
  ],
  [
    'no-restricted-properties',
    'src/partition/random.ts',
    'export const b = (): number => Math.random()\n',
  ],
  [
    'no-restricted-properties',
    'src/partition/timeout.ts',
    'export const b = (): unknown => AbortSignal.timeout(1)\n',
  ],
  [
    'no-floating-promises',
    'src/partition/float.ts',
    'export const a = async (): Promise<number> => 1\na()\n',
  ],
  [
    'switch-exhaustiveness-check',
    'src/base/open.ts',
    "export function a(b: 'x' | 'y'): void {\n  switch (b) {\n    case 'x':\n      break\n  }\n}\n",
  ],
  [
    'max-lines-per-function',
    'src/base/long.ts',
    `export function a(): void {\n${'  a()\n'.repeat(91)}}\n`,
  ],
  [
    'no-empty',
    'src/base/swallow.ts',
    'export function a(): void {\n  try {\n    a()\n  } catch {}\n}\n',
  ],
]

test('the lint reports planted offences', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'chronik-lint-'))
  try {
    writeFileSync(join(folder, '.oxlintrc.json'), lintConfigText())
    writeFileSync(join(folder, 'tsconfig.json'), readFileSync(join(root, 'tsconfig.json')))
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    const sound = ['src/env/a.ts', 'src/cli/a.ts', 'src/env/node/timer.ts']
    const files = [
      ...lintCanaries.map(([, path, text]) => [path, text] as const),
      ...sound.map((path) => [path, 'export const a = 1\n'] as const),
    ]
    for (const [path, text] of files) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), text)
    }
    const oxlint = join(root, 'node_modules', 'oxlint', 'bin', 'oxlint')
    const { stdout } = spawnSync(process.execPath, [oxlint, '--type-aware', '--format', 'unix'], {
      cwd: folder,
      encoding: 'utf8',
    })
    const missed = lintCanaries.filter(
      ([rule, path]) =>
        !stdout.split('\n').some((line) => line.includes(path) && line.includes(rule)),
    )
    assert.deepEqual(
      missed.map(([rule, path]) => `${rule} in ${path}`),
      [],
      stdout,
    )
    for (const path of sound) assert.ok(!stdout.includes(path), `reports sound code:\n${stdout}`)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
