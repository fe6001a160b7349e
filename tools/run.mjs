// The front door: what `npm start`, `npm test`, `npm run check` and the others run. Plain JavaScript without
// dependencies, because it may be started by an old Node in a fresh clone: it installs what is missing, then hands over
// to the pinned runtime (the npm package `node`). Signals reach the task, its exit code is passed on.

import { spawn, spawnSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { constants } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle } from './bundle.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const pinnedNode = join(root, 'node_modules', 'node', 'bin', 'node')
const tool = (name, path) => join(root, 'node_modules', name, path)

/** Tasks that are one program, run with the arguments that follow `--`. Those that start a server as others do, built. */
const programs = {
  bench: 'bench/run.ts',
  compat: 'test/compat/run.ts',
  'complete-lock': 'tools/complete-lock.ts',
  docs: 'tools/docs.ts',
  failures: 'verify/cluster/run.ts',
  fuzz: 'verify/storage/fuzz.ts',
  kill: 'verify/kill/run.ts',
  'lint-config': 'tools/lint-config.ts',
  model: 'verify/model/run.ts',
  mutants: 'verify/mutants/main.ts',
  sim: 'verify/sim/main.ts',
}

const builtFirst = ['bench', 'compat', 'failures', 'kill']

const tasks = {
  start(args) {
    build()
    const given = args.some((arg) => arg === '--data-dir' || arg.startsWith('--data-dir='))
    const data = given ? [] : ['--data-dir', join(root, 'data')]
    const program = ['--max-semi-space-size=16', join(root, 'dist', 'cli', 'main.js')] // as in bin/chronik
    return handOver([...program, 'dev', ...data, ...args])
  },
  test: (args) => handOver(testArguments(args)),
  build: () => build({ say: true }),
  check: (args) => check(args),
}

async function main() {
  const [name = '', ...args] = process.argv.slice(2)
  const known = [...Object.keys(tasks), ...Object.keys(programs)]
  if (!known.includes(name)) fail(`unknown task "${name}"; there are: ${known.join(', ')}`)
  process.chdir(root)
  install()
  const program = programs[name]
  if (builtFirst.includes(name)) build()
  process.exitCode =
    program === undefined ? await tasks[name](args) : await handOver([program, ...args])
}

// Installing

/** What differs between the lock file and what is installed; undefined when nothing does. */
function staleness() {
  if (!existsSync(pinnedNode)) return 'the pinned runtime is not installed'
  const installedLock = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(installedLock)) return 'nothing is installed'
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  const installed = JSON.parse(readFileSync(installedLock, 'utf8')).packages
  for (const [path, { version, optional }] of Object.entries(wanted)) {
    if (path === '' || (optional && installed[path] === undefined)) continue
    if (installed[path]?.version !== version)
      return `${path.replace(/^.*node_modules\//, '')} is not at ${version}`
  }
  return undefined
}

function install() {
  const reason = staleness()
  if (reason === undefined) return
  const modules = join(root, 'node_modules')
  if (existsSync(modules) && lstatSync(modules).isSymbolicLink()) {
    fail(`${reason}, and node_modules is a link: run \`npm ci\` where it points to`)
  }
  say(`installing (${reason}) …`)
  const { status, error } = spawnSync(
    'npm',
    ['ci', '--no-audit', '--no-fund', '--loglevel=error'],
    { stdio: ['ignore', 2, 2] },
  )
  if (error) fail(`cannot run npm: ${error.message}`)
  if (status !== 0) fail('`npm ci` failed; what it said is above')
  const still = staleness()
  if (still !== undefined)
    fail(`after \`npm ci\`, ${still}; were its install scripts allowed to run?`)
}

// Building

/** Every file under `directory` that `wanted` accepts, sorted, relative to the root. */
function filesUnder(directory, wanted) {
  if (!existsSync(directory)) return []
  const found = []
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory() && entry.name !== 'node_modules')
      found.push(...filesUnder(path, wanted))
    else if (entry.isFile() && wanted(entry.name)) found.push(path)
  }
  return found.sort()
}

/**
 * Builds dist, JavaScript and types, unless it was built from exactly these sources. The old one stays until the new one is
 * whole.
 */
function build({ say: aloud = false } = {}) {
  const isSource = (name) => name.endsWith('.ts') && !name.endsWith('.test.ts')
  const inputs = [
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
    join('tools', 'bundle.mjs'),
    ...filesUnder('src', isSource),
  ]
  const stamp = inputs
    .map((path) => `${path} ${statSync(path).size} ${statSync(path).mtimeMs}\n`)
    .join('')
  const stampFile = join('dist', '.stamp')
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) {
    if (aloud) say('dist is up to date')
    return 0
  }
  const startedMs = Date.now()
  const fresh = join('.cache', `dist-${process.pid}`)
  const { status } = spawnSync(
    pinnedNode,
    [tool('typescript', 'bin/tsc'), '-p', 'tsconfig.build.json', '--outDir', fresh],
    {
      stdio: ['ignore', 2, 2],
    },
  )
  if (status !== 0 || !bundle(fresh)) {
    rmSync(fresh, { recursive: true, force: true })
    fail('the build failed; why is said above')
  }
  writeFileSync(join(fresh, '.stamp'), stamp)
  rmSync('dist', { recursive: true, force: true })
  renameSync(fresh, 'dist')
  if (aloud) say(`built dist in ${seconds(startedMs)}`)
  return 0
}

// Testing and checking

/** All tests that need npm alone. Arguments that name no file or folder go to the runner; the others select. */
function testArguments(args) {
  const flags = args.filter((arg) => arg.startsWith('-'))
  const wanted = args.filter((arg) => !arg.startsWith('-'))
  const files = ['src', 'tools', 'verify', 'test']
    .flatMap((directory) => filesUnder(directory, (name) => name.endsWith('.test.ts')))
    .filter((path) => !path.startsWith(join('test', 'compat')))
    .filter((path) => wanted.length === 0 || wanted.some((part) => path.includes(part)))
  if (files.length === 0) fail(`no test file matches ${wanted.join(' ')}`)
  return ['--test', '--test-concurrency=2', ...flags, ...files]
}

async function check(args) {
  const steps = [
    ['types', [tool('typescript', 'bin/tsc'), '-p', '.']],
    ['lint', [tool('oxlint', 'bin/oxlint'), '--type-aware', '--deny-warnings']],
    [
      'format',
      [tool('oxfmt', 'bin/oxfmt'), '--list-different', 'src', 'tools', 'test', 'verify', 'bench'],
    ],
    ['tests', testArguments(['--test-reporter=dot', ...args])],
    ['simulation', ['verify/sim/main.ts', '--seeds', '200', '--mode', 'short', '--minutes', '1']],
    ['storage simulation', ['verify/storage/fuzz.ts', '--seeds', '100', '--jobs', '2']],
  ]
  const lines = []
  for (const [name, command] of steps) {
    const startedMs = Date.now()
    say(name)
    const code = await run(command)
    lines.push(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} ${seconds(startedMs)}`)
    if (code !== 0) {
      say(lines.join('\n        '))
      return code
    }
  }
  say(lines.join('\n        '))
  return 0
}

// Running

/** Becomes the pinned runtime with these arguments where the running Node can (execve), else runs it as a child. */
function handOver(args) {
  const environment = {
    ...process.env,
    PATH: `${join(root, 'node_modules', '.bin')}:${process.env.PATH ?? ''}`,
  }
  if (typeof process.execve === 'function') {
    process.removeAllListeners('warning')
    process.on('warning', () => {})
    process.execve(pinnedNode, [pinnedNode, ...args], environment)
  }
  return run(args, environment)
}

/** Runs the pinned runtime; resolves to its exit code, 128 + n when signal n ended it. Signals sent to us reach it. */
function run(args, environment = process.env) {
  return new Promise((resolve) => {
    const child = spawn(pinnedNode, args, { stdio: 'inherit', env: environment })
    const forward = (signal) => child.kill(signal)
    const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP']
    for (const signal of forwarded) process.on(signal, forward)
    child.on('error', (error) => fail(`cannot run ${relative(root, pinnedNode)}: ${error.message}`))
    child.on('exit', (code, signal) => {
      for (const name of forwarded) process.off(name, forward)
      resolve(code ?? 128 + constants.signals[signal])
    })
  })
}

function seconds(startedMs) {
  return `${((Date.now() - startedMs) / 1000).toFixed(1)} s`
}

function say(text) {
  process.stderr.write(`chronik: ${text}\n`)
}

function fail(text) {
  say(text)
  process.exit(1)
}

await main()
