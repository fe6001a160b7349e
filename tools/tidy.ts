// The rules of the house that can be checked by reading files, as pure functions from a tree of files to complaints. The
// tidy test runs them on the repository, and on planted bad samples to prove that each of them can fail.

import { dirname, join, normalize } from 'node:path/posix'
import { type Lock, missingFromLock } from './complete-lock.ts'
import { mayImport, rooms } from './layers.ts'

export interface SourceFile {
  /** Relative to the repository, with `/`. */
  readonly path: string
  readonly text: string
}

export interface Problem {
  readonly rule: string
  readonly path: string
  /** From 1; 0 when the whole file is meant. */
  readonly line: number
  readonly detail: string
}

/** A rule sees the whole tree, so that it may relate files to one another. */
export interface Rule {
  readonly name: string
  readonly why: string
  check(files: readonly SourceFile[]): Problem[]
}

/** Code is formatted to 100 columns; comments and long strings may go on to this. */
export const columnsMax = 140
export const linesMax = 500

const isCode = (path: string): boolean => /\.(ts|mts|mjs|js)$/.test(path)
const isTest = (path: string): boolean => path.endsWith('.test.ts')
const isSource = (path: string): boolean => path.startsWith('src/') && path.endsWith('.ts')
const roomOf = (path: string): string | undefined => /^src\/([^/]+)\//.exec(path)?.[1]

/** A rule about single lines. */
function lineRule(
  name: string,
  why: string,
  applies: (path: string) => boolean,
  complain: (line: string, path: string) => string | undefined,
): Rule {
  return {
    name,
    why,
    check: (files) =>
      files
        .filter((file) => applies(file.path))
        .flatMap((file) =>
          file.text.split('\n').flatMap((line, i) => {
            const detail = complain(line, file.path)
            return detail === undefined
              ? []
              : [{ rule: name, path: file.path, line: i + 1, detail }]
          }),
        ),
  }
}

interface Import {
  readonly specifier: string
  readonly line: number
  /** `import()` in an expression: loaded when it is reached. */
  readonly lazy: boolean
  readonly typeOnly: boolean
}

/** The imports and re-exports of a file, found in its text (TypeScript 7 offers no syntax tree to JavaScript). */
export function importsOf(text: string): Import[] {
  const pattern =
    /^[ \t]*(?:import|export)\s+(type\s)?(?:[^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm
  return [...text.matchAll(pattern)].map((match) => ({
    specifier: match[2] ?? match[3] ?? '',
    line: text.slice(0, match.index).split('\n').length,
    lazy: match[3] !== undefined,
    typeOnly: match[1] !== undefined,
  }))
}

const layers: Rule = {
  name: 'layers',
  why: 'each room imports only from rooms to its left (tools/layers.ts)',
  check: (files) =>
    files
      .filter((file) => isSource(file.path))
      .flatMap((file) => {
        const room = roomOf(file.path)
        if (room === undefined || !rooms.includes(room)) {
          return [
            {
              rule: 'layers',
              path: file.path,
              line: 0,
              detail: 'lies in no room of tools/layers.ts',
            },
          ]
        }
        return importsOf(file.text).flatMap(({ specifier, line, lazy }) => {
          if (!specifier.startsWith('.')) return []
          const target = normalize(join(dirname(file.path), specifier))
          const other = roomOf(target)
          if (other === undefined) {
            if (room === 'cli' && lazy) return []
            return [
              {
                rule: 'layers',
                path: file.path,
                line,
                detail: `reaches outside src: ${specifier}`,
              },
            ]
          }
          if (other === room || mayImport(room).includes(other)) return []
          return [
            { rule: 'layers', path: file.path, line, detail: `${room} may not import ${other}` },
          ]
        })
      }),
}

const fileHead: Rule = {
  name: 'file-head',
  why: 'every file opens with a comment that says what it is for; a test belongs to its subject',
  check: (files) =>
    files
      .filter((file) => isCode(file.path) && !isTest(file.path))
      .flatMap((file) => {
        const first = file.text.replace(/^#!.*\n/, '').trimStart()
        if (first.startsWith('//') || first.startsWith('/*')) return []
        return [
          { rule: 'file-head', path: file.path, line: 1, detail: 'does not open with a comment' },
        ]
      }),
}

const fileLength: Rule = {
  name: 'file-length',
  why: 'a file has one subject',
  check: (files) =>
    files
      .filter((file) => isCode(file.path))
      .flatMap((file) => {
        const lines = file.text.split('\n').length - 1
        if (lines <= linesMax) return []
        return [
          {
            rule: 'file-length',
            path: file.path,
            line: 0,
            detail: `${lines} lines, at most ${linesMax}`,
          },
        ]
      }),
}

const columns = lineRule('columns', 'lines can be read side by side', isCode, (line) =>
  line.length > columnsMax ? `${line.length} columns, at most ${columnsMax}` : undefined,
)

// Put together from parts, so that this file passes its own rule.
const unfinished = new RegExp(
  `\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`,
)
const finished = lineRule(
  'finished',
  'what is merged is finished, or is not there',
  () => true,
  (line) => unfinished.exec(line)?.[0],
)

const machinePath = new RegExp(
  `(^|[\\s'"\`(=:])/(${['wo' + 'rk', 'ro' + 'ot', 'ho' + 'me', 'Us' + 'ers', 'tm' + 'p'].join('|')})/`,
)
const machinePaths = lineRule(
  'machine-paths',
  'the project runs on any machine',
  () => true,
  (line) => machinePath.exec(line)?.[0],
)

const registryHost = new RegExp(
  `https?://[^\\s/'"]*(${['regis' + 'try', 'arti' + 'factory', 'ne' + 'xus'].join('|')})|^\\s*regis` +
    'try\\s*=',
)
const registryHosts = lineRule(
  'registry-hosts',
  "where packages come from is the machine's affair",
  () => true,
  (line) => registryHost.exec(line)?.[0],
)

const suppressed = new RegExp(
  `@ts-(${['ig' + 'nore', 'no' + 'check', 'expect-' + 'error'].join('|')})`,
)
const suppressions = lineRule(
  'suppressions',
  'types are not switched off',
  isCode,
  (line) => suppressed.exec(line)?.[0],
)

const mutableGlobal = /^(export\s+)?(let|var)\s/
const globalCollection =
  /^(?:export\s+)?const\s+\w+(\s*:\s*[^=]+)?\s*=\s*(?:new\s+(?:Map|Set|WeakMap|WeakSet)\b|\[\]|\{\})/
const moduleState = lineRule(
  'module-state',
  'state has an owner: nothing mutable at module level',
  (path) => isSource(path) && !isTest(path),
  (line) => {
    if (mutableGlobal.test(line)) return 'a module-level variable'
    const collection = globalCollection.exec(line)
    if (collection === null || /\b[Rr]eadonly/.test(collection[1] ?? '')) return undefined
    return 'a module-level collection that is not declared read-only'
  },
)

const barrels: Rule = {
  name: 'barrels',
  why: 'a name is imported from the file that owns it',
  check: (files) =>
    files
      .filter((file) => isSource(file.path))
      .flatMap((file) => {
        const at = file.text.search(/^export \*/m)
        if (at >= 0) {
          const line = file.text.slice(0, at).split('\n').length
          return [
            {
              rule: 'barrels',
              path: file.path,
              line,
              detail: 'exports everything of another file',
            },
          ]
        }
        if (!file.path.endsWith('/index.ts')) return []
        return [{ rule: 'barrels', path: file.path, line: 0, detail: 'an index file' }]
      }),
}

const docPaths: Rule = {
  name: 'doc-paths',
  why: 'pages name files that exist',
  check: (files) => {
    const known = new Set(files.map(({ path }) => path))
    const exists = (path: string): boolean =>
      known.has(path) || files.some((file) => file.path.startsWith(`${path.replace(/\/$/, '')}/`))
    return files
      .filter(({ path }) => path.endsWith('.md') && path !== 'CHANGELOG.md')
      .flatMap(({ path, text }) =>
        [
          ...text.matchAll(
            /`((?:src|tools|test|verify|bench|docs|bin)\/[\w./-]*)`|\]\(([\w][\w./-]*)\)/g,
          ),
        ]
          .map((match) => match[1] ?? normalize(join(dirname(path), match[2] ?? '')))
          .filter((named) => !exists(named))
          .map((named) => ({ rule: 'doc-paths', path, line: 0, detail: `there is no ${named}` })),
      )
  },
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

function manifestOf(files: readonly SourceFile[]): Manifest {
  const file = files.find(({ path }) => path === 'package.json')
  return file === undefined ? {} : (JSON.parse(file.text) as Manifest)
}

const pins: Rule = {
  name: 'pins',
  why: 'a fresh clone installs what was tested',
  check: (files) => {
    const { dependencies = {}, devDependencies = {} } = manifestOf(files)
    return Object.entries({ ...dependencies, ...devDependencies })
      .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
      .map(([name, version]) => ({
        rule: 'pins',
        path: 'package.json',
        line: 0,
        detail: `${name} ${version} is not exact`,
      }))
  },
}

const declared: Rule = {
  name: 'declared',
  why: 'what src imports is a runtime dependency, and each of those has its page in docs/decisions',
  check: (files) => {
    const { dependencies = {} } = manifestOf(files)
    const names = Object.keys(dependencies)
    const undeclared = files
      .filter((file) => isSource(file.path) && !isTest(file.path))
      .flatMap((file) =>
        importsOf(file.text)
          .filter(({ specifier }) => !/^(\.|node:)/.test(specifier))
          .filter(
            ({ specifier }) =>
              !names.some((name) => specifier === name || specifier.startsWith(`${name}/`)),
          )
          .map(({ specifier, line }) => ({
            rule: 'declared',
            path: file.path,
            line,
            detail: `${specifier} is no runtime dependency`,
          })),
      )
    const titles = files
      .filter((file) => /^docs\/decisions\/\d{4}-.*\.md$/.test(file.path))
      .map((file) => file.text.split('\n')[0] ?? '')
    const undecided = names
      .filter((name) => !titles.some((title) => title.includes(name)))
      .map((name) => ({
        rule: 'declared',
        path: 'package.json',
        line: 0,
        detail: `${name} has no page in docs/decisions`,
      }))
    return [...undeclared, ...undecided]
  },
}

/** Licences that allow use in, and distribution with, an Apache-2.0 program. */
const licencesAllowed = [
  'MIT',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'Unlicense',
]

const licences: Rule = {
  name: 'licences',
  why: 'what we install may be used and passed on under Apache-2.0',
  check: (files) => {
    const lock = files.find(({ path }) => path === 'package-lock.json')
    if (lock === undefined) return []
    const { packages } = JSON.parse(lock.text) as { packages: Record<string, { license?: string }> }
    return Object.entries(packages)
      .filter(([path]) => path !== '')
      .filter(
        ([, { license = 'none' }]) =>
          !license
            .replace(/[()]/g, '')
            .split(' OR ')
            .some((one) => licencesAllowed.includes(one)),
      )
      .map(([path, { license = 'none' }]) => ({
        rule: 'licences',
        path: 'package-lock.json',
        line: 0,
        detail: `${path}: ${license}`,
      }))
  },
}

const completeLock: Rule = {
  name: 'complete-lock',
  why: '`npm ci` works in a fresh clone (else: npm run complete-lock)',
  check: (files) => {
    const lock = files.find(({ path }) => path === 'package-lock.json')
    if (lock === undefined) return []
    return missingFromLock(JSON.parse(lock.text) as Lock).map(({ name, version }) => ({
      rule: 'complete-lock',
      path: 'package-lock.json',
      line: 0,
      detail: `${name} ${version} is missing`,
    }))
  },
}

export const rules: readonly Rule[] = [
  layers,
  fileHead,
  fileLength,
  columns,
  finished,
  machinePaths,
  registryHosts,
  suppressions,
  moduleState,
  barrels,
  docPaths,
  pins,
  declared,
  licences,
  completeLock,
]
