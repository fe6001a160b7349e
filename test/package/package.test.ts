// The package as others get it: packed, installed by npm into an empty directory without this repository and without a
// registry, started from its command line, and embedded in a program.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { freePort, killAll, NodeProcess, root, withoutRunner } from '../node/node-process.ts'

const UNPACKED_BYTES_MAX = 5 * 1024 * 1024

const folder = mkdtempSync(join(tmpdir(), 'chronik-package-'))
const app = join(folder, 'app')
const installed = join(app, 'node_modules', 'chronik')
after(() => {
  killAll()
  rmSync(folder, { recursive: true, force: true })
})

const run = (cwd: string, program: string, ...args: string[]): string =>
  execFileSync(program, args, {
    cwd,
    encoding: 'utf8',
    env: withoutRunner(process.env),
    stdio: ['ignore', 'pipe', 'pipe'],
  })

before(
  () => {
    run(root, process.execPath, join(root, 'tools', 'run.mjs'), 'build')
    run(root, 'npm', 'pack', '--ignore-scripts', '--silent', '--pack-destination', folder)
    const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'))
    assert.ok(tarball)
    mkdirSync(app)
    writeFileSync(join(app, 'package.json'), '{ "private": true, "type": "module" }')
    run(
      app,
      'npm',
      'install',
      '--offline',
      '--install-links',
      '--no-audit',
      '--no-fund',
      ...[join(folder, tarball), ...dependencies()],
    )
  },
  { timeout: 120_000 },
)

/** The runtime dependencies where they are installed here, so that none is fetched. */
function dependencies(): string[] {
  const modules = join(root, 'node_modules')
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  return Object.keys(manifest.dependencies).flatMap((name) => {
    const own = join(modules, name)
    const { optionalDependencies = {} } = JSON.parse(
      readFileSync(join(own, 'package.json'), 'utf8'),
    ) as { optionalDependencies?: Record<string, string> }
    const platform = Object.keys(optionalDependencies).map((optional) => join(modules, optional))
    return [own, ...platform.filter((path) => statSync(path, { throwIfNoEntry: false }))]
  })
}

function sizeOf(path: string): number {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.size
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
}

/** The files that `chronik start` without HTTP loads, and the sources that those were made of. */
async function loadedByStart(): Promise<{ files: string[]; sources: string[] }> {
  const list = join(folder, 'loaded')
  const preload = join(folder, 'preload.mjs')
  writeFileSync(
    preload,
    `import { appendFileSync } from 'node:fs'
    import { registerHooks } from 'node:module'
    registerHooks({
      load(url, context, next) {
        if (url.startsWith('file:')) appendFileSync(${JSON.stringify(list)}, url + '\\n')
        return next(url, context)
      },
    })`,
  )
  const main = join(installed, 'dist', 'cli', 'main.js')
  const options = ['--kafka', '127.0.0.1:0', '--http', 'off', '--data-dir', join(folder, 'loads')]
  const args = ['--import', preload, main, 'start', ...options]
  const node = await new NodeProcess(process.execPath, args, { cwd: app }).ready()
  await node.stop()
  const files = readFileSync(list, 'utf8')
    .trim()
    .split('\n')
    .map((url) => fileURLToPath(url))
  const sources = files
    .filter((file) => file.startsWith(installed))
    .flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/^\/\/ (src\/\S+\.ts)$/gm)])
    .map((match) => match[1] ?? '')
  return { files, sources }
}

describe('the package', () => {
  test('is small, and holds what it should and no tests', () => {
    assert.ok(sizeOf(installed) < UNPACKED_BYTES_MAX, `${sizeOf(installed)} bytes`)
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' })
    for (const file of [
      'LICENSE',
      'NOTICE',
      'README.md',
      'dist/cli/main.js',
      'dist/server/chronik.d.ts',
    ]) {
      assert.ok(files.includes(file), `${file} is missing`)
    }
    const strange = files.filter((file) =>
      /\.test\.|(^|\/)(testing|contract|sim|fixtures)(\/|$)|\.stamp/.test(file),
    )
    assert.deepEqual(strange, [])
  })

  test('knows its version', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      version: string
    }
    assert.equal(run(app, 'npx', 'chronik', '--version'), `${version}\n`)
  })

  test('a start loads the server in few files, and nothing else', { timeout: 30_000 }, async () => {
    const { files, sources } = await loadedByStart()
    const own = files.filter((file) => file.startsWith(installed))
    assert.ok(own.length < 50, `${own.length} files of ours`)
    for (const source of ['src/cli/commands/start.ts', 'src/server/chronik.ts']) {
      assert.ok(sources.includes(source), `${source} is not among ${sources.join(' ')}`)
    }
    const others = sources.filter((source) =>
      /^src\/(client|cli\/dev|cli\/commands\/(?!start)|env\/node\/node-http)/.test(source),
    )
    assert.deepEqual(others, [])
    const packages = files.flatMap(
      (file) => /node_modules\/(?!chronik\/)(@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? [],
    )
    const used = new Set(packages.map((name) => name.replace(/^node_modules\//, '')))
    used.forEach((name) => assert.match(name, /^(commander|@node-rs\/crc32(-.*)?)$/))
  })

  test('a stack trace names our functions, and our sources where maps are on', () => {
    const embed = `import { Chronik } from 'chronik'; await Chronik.start({ nodeId: -1 }).catch(({ stack }) => console.log(stack))`
    const trace = (...flags: string[]): string =>
      run(app, process.execPath, ...flags, '--input-type=module', '--eval', embed)
    assert.match(trace(), /at checkOptions \(.*dist\/.*\.js:\d+/)
    assert.match(trace('--enable-source-maps'), /src\/server\/options\.ts:\d+/)
  })

  test('npx chronik start runs a node', { timeout: 30_000 }, async () => {
    const port = await freePort()
    const args = ['chronik', 'start', '--port-base', `${port}`, '--data-dir', 'data']
    const node = await new NodeProcess('npx', args, { cwd: app, group: true }).ready()
    assert.match(node.stdout, new RegExp(`127\\.0\\.0\\.1:${port}\n`))
    assert.ok(node.stdout.includes(join(app, 'data')))
    await node.stop('SIGINT')
    assert.match(node.stderr, /chronik: stopped\n/)
  })

  test('a program embeds a node on a free port and stops it', { timeout: 30_000 }, () => {
    writeFileSync(join(app, 'embed.ts'), embedding)
    writeFileSync(
      join(app, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          module: 'NodeNext',
          target: 'ES2024',
          strict: true,
          types: ['node'],
          typeRoots: [join(root, 'node_modules', '@types')],
        },
        include: ['embed.ts'],
      }),
    )
    run(app, process.execPath, join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.')
    const answered = Number(run(app, process.execPath, 'embed.js'))
    assert.ok(answered > 10, `the answer to ApiVersions has ${answered} bytes`)
  })
})

/** Starts a node, asks it for its API versions, stops it; prints the size of the answer. It must end by itself. */
const embedding = `
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Chronik } from 'chronik'

const dataDir = mkdtempSync(join(tmpdir(), 'chronik-embedded-'))
const node = await Chronik.start({
  nodeId: 1,
  dataDir,
  listeners: [{ name: 'PLAINTEXT', host: '127.0.0.1', port: 0 }],
  config: {},
})
const port: number = node.listeners[0]!.port
const answer = await new Promise<Buffer>((resolve, reject) => {
  const socket = connect(port, '127.0.0.1', () => {
    socket.write(Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff]))
  })
  socket.on('error', reject)
  socket.on('data', (bytes: Buffer) => {
    socket.destroy()
    resolve(bytes)
  })
})
await node.stop()
rmSync(dataDir, { recursive: true })
console.log(answer.length)
`
