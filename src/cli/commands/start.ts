// `chronik start`: runs a node until it is told to stop.

import { Command, Option } from 'commander'
import { hostPort, isLoopback } from '../../base/hosts.ts'
import type { Env } from '../../env/env.ts'
import { banner } from '../banner.ts'
import { usage } from '../failure.ts'
import { clusterOptions, type SecretReader } from '../cluster-secret.ts'
import { readConfigFile } from '../options-file.ts'
import { absolutePath } from '../paths.ts'
import { gather } from '../options-gather.ts'
import type { Address } from '../options-listeners.ts'
import { type NodeOptions, type StartOptions, startOptions } from '../options-start.ts'
import { CONFIG_ENVIRONMENT, settings } from '../options.ts'
import { realWorld } from '../real-world.ts'
import { holdsData, resetData } from '../reset.ts'
import { explainStartFailure, realReason } from '../start-failures.ts'
import { type ExitNow, runUntilStopped, type Signals } from '../stopping.ts'

/** What this command uses of a running node. */
export interface RunningNode {
  /** What clients are told to connect to, with the ports that were taken. */
  readonly listeners: readonly { readonly name: string; readonly advertised: Address }[]
  readonly http: Address | undefined
  stop(): Promise<void>
}

/** The world of the command; tests bring their own. */
export interface StartWorld {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly workingDirectory: string
  readonly makeEnv: (log: StartOptions['log']) => Promise<Env>
  readonly readSecret: SecretReader
  readonly startNode: (options: NodeOptions, env: Env) => Promise<RunningNode>
  readonly signals: Signals
  /** Tells of the end of standard input as of a signal. */
  readonly inputEnd: Signals
  readonly exitNow: ExitNow
  readonly print: (text: string) => void
  /** For the person at the terminal, beside the log. */
  readonly say: (text: string) => void
  /** Asks that person; undefined where there is no terminal. */
  readonly ask: ((question: string) => Promise<boolean>) | undefined
}

const helpEnd = `
Settings come from flags, from the environment and from the file: flags win over the environment, that over the file.
There is no TLS, SASL or ACL yet: whoever reaches a listener can do anything, so bind others than 127.0.0.1 with care.

Examples:
  chronik start --data-dir ./data
  chronik start --kafka 127.0.0.1:9092 --kafka LAN://0.0.0.0:29092 --advertised-kafka LAN://192.168.1.7:29092
  chronik start --node-id 1 --peers 1@10.0.0.1:9192,2@10.0.0.2:9192,3@10.0.0.3:9192 --cluster-secret-file secret
  chronik start --set num.partitions=4 --set log.retention.hours=24`

interface Given {
  readonly config?: string
  readonly set: readonly string[]
  readonly hints?: boolean
  readonly stopWithStdin?: boolean
  readonly reset?: boolean
  readonly yes?: boolean
  /** By the camel-case name of a setting's flag. */
  readonly [flag: string]: unknown
}

export function command(): Command {
  return startCommand(realWorld())
}

export function startCommand(world: StartWorld): Command {
  const command = new Command('start')
    .description('Runs a node until it is told to stop (Ctrl-C or SIGTERM).')
    .option('--config <file>', `configuration file, TOML (${CONFIG_ENVIRONMENT})`)
  for (const { flag, definition, environment } of settings) {
    if (flag === undefined) continue
    const fallback = definition.defaultText === '' ? '' : `default ${definition.defaultText}; `
    const text = `${flag.help} (${fallback}${environment})`
    command.addOption(new Option(`${flag.name} ${flag.value}`, text).argParser(collect))
  }
  return command
    .addOption(
      new Option(
        '--set <name=value>',
        'any setting of docs/configuration.md, by its name',
      ).argParser(collect),
    )
    .option('--hints', 'print lines to paste for several clients')
    .option('--stop-with-stdin', 'stop when standard input ends, so with whoever started the node')
    .option('--reset', 'delete all data of the node first, after asking')
    .option('--yes', 'with --reset: do not ask')
    .addHelpText('after', helpEnd)
    .allowExcessArguments(false)
    .action((given: Given) => start(given, world))
}

/** Options may be given several times; whether they may is for the table to say. */
function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value]
}

async function start(given: Given, world: StartWorld): Promise<void> {
  if (given.yes === true && given.reset !== true) throw usage('--yes goes with --reset')
  const options = await readOptions(given, world)
  const env = await world.makeEnv(options.log)
  const kept = await prepare(given, options, env, world).catch((error: unknown) => {
    throw explainStartFailure(error, options)
  })
  warnOfOpenListeners(options, world)
  const signals = given.stopWithStdin === true ? both(world.signals, world.inputEnd) : world.signals
  await runUntilStopped({ ...world, signals }, env, async () => {
    const node = await world.startNode(options, env).catch(async (error: unknown) => {
      throw explainStartFailure(await realReason(error, options, env), options)
    })
    const { nodeId, dataDir, cluster } = options
    world.print(banner({ ...node, nodeId, dataDir, cluster, kept, hints: given.hints === true }))
    return node
  })
  world.say('stopped')
}

/** Whether the directory holds data, after a reset where that was asked for. */
async function prepare(
  given: Given,
  { dataDir }: NodeOptions,
  { disk }: Env,
  world: StartWorld,
): Promise<boolean> {
  if (given.reset === true) await resetData(dataDir, disk, { ...world, sure: given.yes === true })
  return holdsData(dataDir, disk)
}

async function readOptions(given: Given, world: StartWorld): Promise<NodeOptions> {
  const flags = settings.flatMap(({ flag }) => {
    const values = flag === undefined ? undefined : given[camelCase(flag.name)]
    return flag === undefined || values === undefined ? [] : [[flag.name, values] as const]
  })
  const path = given.config ?? world.environment[CONFIG_ENVIRONMENT]
  const file =
    path === undefined
      ? undefined
      : await readConfigFile(
          absolutePath(path, world),
          (await world.makeEnv({ level: 'warn', json: false })).disk,
        )
  const options = startOptions(
    gather({
      flags: Object.fromEntries(flags) as Record<string, readonly string[]>,
      sets: given.set ?? [],
      environment: world.environment,
      file,
    }),
  )
  const { nodeId, cluster, dataDir } = options
  return {
    ...options,
    dataDir: absolutePath(dataDir, world),
    cluster:
      cluster === undefined
        ? undefined
        : await clusterOptions(nodeId, cluster, {
            ...world,
            absolute: (file) => absolutePath(file, world),
          }),
  }
}

function both(one: Signals, other: Signals): Signals {
  return {
    on: (listener) => {
      const offs = [one.on(listener), other.on(listener)]
      return () => offs.forEach((off) => off())
    },
  }
}

function warnOfOpenListeners(options: NodeOptions, world: StartWorld): void {
  const all = [...options.listeners, ...(options.http === undefined ? [] : [options.http])]
  const open = all.filter(({ host }) => !isLoopback(host)).map(hostPort)
  if (open.length === 0) return
  world.say(
    `warning: ${open.join(' and ')} can be reached from outside this machine, and there is no TLS, SASL or ACL yet: ` +
      'whoever connects can read, write and delete everything',
  )
}

/** As commander names the value of a flag: `--data-dir` is `dataDir`. */
function camelCase(flag: string): string {
  return flag.slice(2).replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
}
