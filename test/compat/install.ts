// Brings what the suites need onto this machine: Debian packages, Apache Kafka's jars through Maven, and the compiled Java
// client. What is there already is left alone. Each step that can't be done says so in one line and leaves its suites out.

import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import path from 'node:path'
import { run } from './process.ts'

const here = import.meta.dirname
export const cacheDirectory = path.resolve(here, '../../.cache/compat')
export const kafkaLibraries = path.join(cacheDirectory, 'kafka')
const systemPython = '/usr/bin/python3'
const newestDirectory = path.join(cacheDirectory, 'confluent-newest')
/** A Python with the newest confluent_kafka, which brings the newest librdkafka. */
export const newestConfluent = path.join(newestDirectory, 'bin/python3')

/** What a suite may need. */
export type Need =
  | 'kcat'
  | 'confluent'
  | 'confluent-newest'
  | 'kafka-python'
  | 'java'
  | 'librdkafka-dev'

/** Returns undefined when the need is met, else why it can't be. */
export async function provide(need: Need): Promise<string | undefined> {
  switch (need) {
    case 'kcat':
      return orInstall(() => works('kcat', ['-V']), ['kcat'])
    case 'confluent':
      return orInstall(
        () => works(systemPython, ['-c', 'import confluent_kafka']),
        ['python3-confluent-kafka'],
      )
    case 'confluent-newest':
      return provideNewestConfluent()
    case 'kafka-python':
      return orInstall(
        () => works(systemPython, ['-c', 'import kafka, snappy, lz4.frame, zstandard']),
        ['python3-kafka', 'python3-snappy', 'python3-lz4', 'python3-zstandard'],
      )
    case 'librdkafka-dev':
      return orInstall(
        async () =>
          existsSync('/usr/include/librdkafka/rdkafka.h') && (await works('cc', ['--version'])),
        ['librdkafka-dev', 'gcc', 'libc6-dev'],
      )
    case 'java':
      return (await provideJava()) ?? (await provideKafka()) ?? (await compileClient())
  }
}

async function works(command: string, args: readonly string[]): Promise<boolean> {
  try {
    return (await run(command, args, { timeoutMs: 30_000 })).code === 0
  } catch {
    return false // not installed: the caller installs it
  }
}

async function orInstall(
  there: () => Promise<boolean>,
  packages: readonly string[],
): Promise<string | undefined> {
  if (await there()) return undefined
  const install = ['install', '-y', '--no-install-recommends', ...packages]
  const asRoot = process.getuid?.() === 0
  const apt = (args: readonly string[]) =>
    asRoot ? run('apt-get', args, aptOptions) : run('sudo', ['-n', 'apt-get', ...args], aptOptions)
  try {
    if ((await apt(install)).code !== 0) {
      await apt(['update'])
      await apt(install)
    }
  } catch (error) {
    return `no ${packages[0]}: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`
  }
  return (await there()) ? undefined : `no ${packages[0]}: apt-get could not install it`
}

/** From PyPI, into an environment of its own. */
async function provideNewestConfluent(): Promise<string | undefined> {
  const there = () => works(newestConfluent, ['-c', 'import confluent_kafka'])
  if (await there()) return undefined
  const noVenv = await orInstall(
    () => works(systemPython, ['-c', 'import ensurepip, venv']),
    ['python3-venv'],
  )
  if (noVenv !== undefined) return noVenv
  rmSync(newestDirectory, { recursive: true, force: true })
  await run(systemPython, ['-m', 'venv', newestDirectory])
  const install = ['-m', 'pip', 'install', '--quiet', 'confluent-kafka']
  await run(newestConfluent, install, { timeoutMs: 240_000 })
  return (await there()) ? undefined : 'no newest confluent_kafka: pip could not install it'
}

const aptOptions = { timeoutMs: 240_000, env: { DEBIAN_FRONTEND: 'noninteractive' } }

/** A Java development kit (17 is what is installed where there is none) and Maven. */
export async function provideJava(): Promise<string | undefined> {
  return orInstall(
    async () => (await works('javac', ['-version'])) && (await works('mvn', ['-v'])),
    ['openjdk-17-jdk-headless', 'maven'],
  )
}

/** Kafka's jars, complete or not at all: they are copied beside and then renamed. */
async function provideKafka(): Promise<string | undefined> {
  const pom = path.join(here, 'pom.xml')
  const version = /<kafka.version>(.*)<\/kafka.version>/.exec(readFileSync(pom, 'utf8'))?.[1] ?? ''
  const have = existsSync(kafkaLibraries) ? readdirSync(kafkaLibraries) : []
  if (have.includes(`kafka_2.13-${version}.jar`)) return undefined
  return mavenJars(pom, kafkaLibraries, 'Kafka')
}

/** The jars that a pom names, in this directory, whose former content goes. Says why where they can't be had. */
export async function mavenJars(
  pom: string,
  directory: string,
  what: string,
): Promise<string | undefined> {
  const staging = `${directory}.${process.pid}`
  mkdirSync(staging, { recursive: true })
  copyFileSync(pom, path.join(staging, 'pom.xml'))
  const copy = ['-B', '-q', '-f', path.join(staging, 'pom.xml'), 'dependency:copy-dependencies']
  const done = await run(
    'mvn',
    [...copy, '-DincludeScope=runtime', `-DoutputDirectory=${staging}`],
    { timeoutMs: 300_000 },
  )
  if (done.code !== 0) {
    rmSync(staging, { recursive: true, force: true })
    return `no ${what} jars: Maven ended with ${done.code}`
  }
  rmSync(directory, { recursive: true, force: true })
  renameSync(staging, directory)
  return undefined
}

/** The directory of the compiled Java client; its name follows its sources and Kafka's version. */
export function javaClasses(): string {
  const hash = createHash('sha256')
  for (const source of javaSources()) hash.update(readFileSync(source))
  hash.update(readFileSync(path.join(here, 'pom.xml')))
  return path.join(cacheDirectory, `classes-${hash.digest('hex').slice(0, 12)}`)
}

function javaSources(): string[] {
  const directory = path.join(here, 'clients/java')
  return readdirSync(directory)
    .filter((name) => name.endsWith('.java'))
    .sort()
    .map((name) => path.join(directory, name))
}

async function compileClient(): Promise<string | undefined> {
  const classes = javaClasses()
  if (existsSync(classes)) return undefined
  const staging = `${classes}.${process.pid}`
  const done = await run('javac', [
    '-cp',
    path.join(kafkaLibraries, '*'),
    '-d',
    staging,
    ...javaSources(),
  ])
  if (done.code !== 0) return `the Java client does not compile:\n${done.stderr}`
  renameSync(staging, classes)
  return undefined
}
