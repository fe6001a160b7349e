// Derives `.oxlintrc.json` from the layer table, so that a broken layer and a use of the world outside `env/node` show
// in the editor. `npm run lint-config` writes the file; the tidy test checks that it is what this would write.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mayImport, rooms } from './layers.ts'

type Rule = 'error' | 'off' | readonly ['error', ...unknown[]]
interface Override {
  readonly files: readonly string[]
  readonly rules: Readonly<Record<string, Rule>>
}

/** Modules that are the world: files, sockets, processes, threads, time. */
const worldModules = [
  'fs',
  'fs/promises',
  'net',
  'tls',
  'dgram',
  'dns',
  'dns/promises',
  'http',
  'http2',
  'https',
  'timers',
  'timers/promises',
  'child_process',
  'cluster',
  'worker_threads',
  'perf_hooks',
  'os',
  'process',
  'readline',
  'readline/promises',
  'async_hooks',
  'diagnostics_channel',
  'inspector',
  'sqlite',
]

/** Rooms that may use the pure, synchronous functions of node:zlib and node:crypto. */
const codecRooms = ['records', 'security']

const asyncOrRandomCrypto = [
  'randomBytes',
  'randomInt',
  'randomUUID',
  'randomFill',
  'randomFillSync',
  'getRandomValues',
  'webcrypto',
  'subtle',
  'scrypt',
  'pbkdf2',
  'hkdf',
  'generateKey',
  'generateKeyPair',
]

const asyncZlib = [
  'gzip',
  'gunzip',
  'deflate',
  'inflate',
  'deflateRaw',
  'inflateRaw',
  'unzip',
  'brotliCompress',
  'brotliDecompress',
  'zstdCompress',
  'zstdDecompress',
  'createGzip',
  'createGunzip',
  'createDeflate',
  'createInflate',
  'createZstdCompress',
  'createZstdDecompress',
]

const worldGlobals = [
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'clearImmediate',
  'queueMicrotask',
  'Date',
  'performance',
  'WeakRef',
  'FinalizationRegistry',
  'process',
  'globalThis',
  'fetch',
  'WebSocket',
  'Atomics',
  'MessageChannel',
  'crypto',
]

const worldProperties = [
  { object: 'Math', property: 'random' },
  { object: 'AbortSignal', property: 'timeout' },
  { object: 'process', property: 'nextTick' },
  { object: 'process', property: 'hrtime' },
]

const because = 'the world comes through the ports of src/env; only src/env/node touches it'

/** The import rule of one room: rooms it may not see, and the world unless `world`. */
function importRule(room: string, world: boolean): Rule {
  const forbidden = rooms.filter((name) => name !== room && !mayImport(room).includes(name))
  const patterns = [
    ...(forbidden.length === 0
      ? []
      : [
          {
            regex: `^(\\.\\./)+(${forbidden.join('|')})/`,
            message: `src/${room} may not import from there: see tools/layers.ts`,
          },
        ]),
    ...(room === 'cli'
      ? []
      : [
          {
            regex: '^(\\.\\./)+(verify|bench|test|tools)/',
            message: 'src does not import its proof',
          },
        ]),
  ]
  const modules = world ? [] : worldModules.flatMap((name) => [name, `node:${name}`])
  const codecs = codecRooms.includes(room)
  const partly = world
    ? []
    : [
        {
          name: 'node:crypto',
          ...(codecs ? { importNames: [...asyncOrRandomCrypto, 'default'] } : {}),
        },
        { name: 'node:zlib', ...(codecs ? { importNames: [...asyncZlib, 'default'] } : {}) },
      ]
  const paths = [
    ...modules.map((name) => ({ name, message: because })),
    ...partly.map((path) => ({ ...path, message: `${because}; pure codecs live in records` })),
  ]
  return ['error', { paths, patterns }]
}

function roomOverride(room: string): Override {
  const globals = worldGlobals.filter((name) => room !== 'cli' || name !== 'process')
  return {
    files: [`src/${room}/**`],
    rules: {
      'no-restricted-imports': importRule(room, false),
      'no-restricted-globals': ['error', ...globals.map((name) => ({ name, message: because }))],
      'no-restricted-properties': [
        'error',
        ...worldProperties.map((entry) => ({ ...entry, message: because })),
      ],
    },
  }
}

const free: Override['rules'] = {
  'no-restricted-globals': 'off',
  'no-restricted-properties': 'off',
}

/** The whole configuration, as a value. */
export function lintConfig(): object {
  return {
    $schema: './node_modules/oxlint/configuration_schema.json',
    plugins: ['typescript', 'unicorn', 'oxc', 'import', 'promise', 'node'],
    categories: { correctness: 'error' },
    env: { node: true, es2024: true },
    ignorePatterns: ['dist', '.cache', 'node_modules', 'data', '**/fixtures/**'],
    rules: {
      'typescript/no-floating-promises': 'error',
      'typescript/no-misused-promises': 'error',
      'typescript/await-thenable': 'error',
      'typescript/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      'typescript/no-base-to-string': 'off',
      'typescript/no-misused-spread': 'off',
      'unicorn/no-useless-spread': 'off',
      'typescript/unbound-method': 'off',
      'typescript/restrict-template-expressions': 'off',
      'typescript/require-array-sort-compare': 'off',
      'typescript/no-explicit-any': 'error',
      'typescript/ban-ts-comment': 'error',
      'typescript/consistent-type-imports': 'error',
      'no-control-regex': 'off',
      'unicorn/no-new-array': 'off',
      'no-var': 'error',
      eqeqeq: 'error',
      'no-empty': ['error', { allowEmptyCatch: false }],
      'no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'max-lines': ['error', { max: 500 }],
      'max-lines-per-function': ['error', { max: 90, skipComments: true, skipBlankLines: true }],
      'import/no-cycle': 'error',
    },
    overrides: [
      ...rooms.map(roomOverride),
      {
        files: ['src/env/node/**'],
        rules: { 'no-restricted-imports': importRule('env', true), ...free },
      },
      {
        // The simulated world turns its crank in macrotasks of the real one.
        files: ['src/env/sim/**'],
        rules: {
          'no-restricted-globals': [
            'error',
            ...worldGlobals
              .filter((name) => !['setImmediate', 'clearImmediate'].includes(name))
              .map((name) => ({ name, message: because })),
          ],
        },
      },
      ...rooms.map((room) => ({
        files: [`src/${room}/**/*.test.ts`, `src/${room}/**/contract/**`],
        rules: { 'no-restricted-imports': importRule(room, true), ...free },
      })),
      {
        files: [
          '**/*.test.ts',
          'src/**/contract/**',
          'test/**',
          'verify/**',
          'bench/**',
          'tools/**',
        ],
        rules: {
          'max-lines-per-function': 'off',
          // The runner itself awaits what describe() and test() return.
          'typescript/no-floating-promises': [
            'error',
            {
              allowForKnownSafeCalls: [
                {
                  from: 'package',
                  package: 'node:test',
                  name: ['test', 'it', 'describe', 'suite'],
                },
              ],
            },
          ],
        },
      },
    ] satisfies readonly Override[],
  }
}

export function lintConfigText(): string {
  return `${JSON.stringify(lintConfig(), null, 2)}\n`
}

if (import.meta.main)
  writeFileSync(join(import.meta.dirname, '..', '.oxlintrc.json'), lintConfigText())
