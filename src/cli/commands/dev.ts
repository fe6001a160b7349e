// `chronik dev`: a whole cluster on this machine, one process per node, to work with and to break.

import { Command } from 'commander'
import { whole } from '../cluster-access.ts'
import { askSupervisor, type ControlRequest } from '../dev/control.ts'
import { DEFAULT_DIRECTORY } from '../dev/dev-banner.ts'
import { DEV_ACTIONS, type DevAction, type DevNodeReport } from '../dev/dev-cluster.ts'
import type { DevWorld } from '../dev/dev-world.ts'
import { DevDirectory } from '../dev/directory.ts'
import { layoutOf } from '../dev/layout.ts'
import { realDevWorld } from '../dev/real-dev-world.ts'
import { runDev } from '../dev/run-dev.ts'
import { DiskError } from '../../env/disk.ts'
import { Failure, usage } from '../failure.ts'
import { explainDisk } from '../start-failures.ts'
import { nearest } from '../nearest.ts'
import { absolutePath, shownPath } from '../paths.ts'
import { hostPort } from '../../base/hosts.ts'
import { textTable } from '../text-table.ts'

type World = () => DevWorld

interface Given {
  readonly nodes?: string
  readonly dataDir?: string
  readonly kafkaPort: string
  readonly raftPort: string
  readonly httpPort: string
  /** commander's name for --no-restart. */
  readonly restart: boolean
  readonly set?: readonly string[]
  readonly reset?: boolean
  readonly yes?: boolean
}

const NODES_DEFAULT = 3

const helpEnd = `
Each node is a process of its own; its data is in node-N below the data directory, what it says in node-N.log. A node that dies is
started again after a second; one that is killed or stopped by a command below stays down until "restart".

Examples:
  chronik dev --nodes 3
  chronik dev kill 1          (SIGKILL)
  chronik dev pause 2 && sleep 10 && chronik dev resume 2
  chronik dev kill all && chronik dev restart all`

export function command(world: World = realDevWorld): Command {
  const dev = new Command('dev')
    .description('Runs a whole cluster on this machine, to work with and to break.')
    .usage('[options] [command]')
    .option(
      '--nodes <count>',
      `1, 3, 5 or 7 (default: what the directory holds, or ${NODES_DEFAULT})`,
    )
    .option('--data-dir <path>', `directory of the cluster (default: ${DEFAULT_DIRECTORY})`)
    .option('--kafka-port <port>', 'Kafka port of node 1; the others follow', '9092')
    .option('--raft-port <port>', 'Raft port of node 1; the others follow', '9192')
    .option('--http-port <port>', 'HTTP port of node 1; the others follow', '6092')
    .option('--no-restart', 'leave a node that dies dead')
    .option('--set <name=value>', 'a setting of docs/configuration.md, for every node', collect)
    .option('--reset', 'delete all data of the cluster first, after asking')
    .option('--yes', 'with --reset: do not ask')
    .addHelpText('after', helpEnd)
    .allowExcessArguments()
    .action((given: Given, self: Command) => {
      const [extra] = self.args
      if (extra !== undefined) throw unknownCommand(extra)
      return run(given, world())
    })
  dev.addCommand(status(world))
  for (const action of DEV_ACTIONS) dev.addCommand(actionCommand(action, world))
  return dev
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

function unknownCommand(name: string): Failure {
  const near = nearest(name, ['status', ...DEV_ACTIONS])
  const hint = near === undefined ? 'see chronik dev --help' : `did you mean ${near}?`
  return usage(`there is no command "dev ${name}"; ${hint}`)
}

async function run(given: Given, world: DevWorld): Promise<void> {
  try {
    await runCluster(given, world)
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    const dataDir = absolutePath(given.dataDir ?? DEFAULT_DIRECTORY, world)
    throw new Failure(explainDisk(error, dataDir), { cause: error })
  }
}

async function runCluster(given: Given, world: DevWorld): Promise<void> {
  if (given.yes === true && given.reset !== true) throw usage('--yes goes with --reset')
  const asked = given.nodes === undefined ? undefined : whole(given.nodes, '--nodes', 1)
  const env = await world.makeEnv()
  const directory = directoryOf(given, world, env.disk)
  const layout = (nodes: number) =>
    layoutOf({
      nodes,
      directory: directory.path,
      kafkaPort: whole(given.kafkaPort, '--kafka-port', 1),
      raftPort: whole(given.raftPort, '--raft-port', 1),
      httpPort: whole(given.httpPort, '--http-port', 1),
    })
  // What can't be is refused before anything is deleted.
  layout(asked ?? NODES_DEFAULT)
  if (given.reset === true) await directory.reset({ ...world, sure: given.yes === true })
  const nodes = layout(await directory.nodeCount(asked, NODES_DEFAULT))
  await runDev(world, env, directory, { nodes, restart: given.restart, sets: given.set ?? [] })
}

function directoryOf(
  { dataDir = DEFAULT_DIRECTORY }: Pick<Given, 'dataDir'>,
  world: DevWorld,
  disk: ConstructorParameters<typeof DevDirectory>[1]['disk'],
): DevDirectory {
  if (dataDir === '') throw usage('--data-dir: names no directory')
  return new DevDirectory(absolutePath(dataDir, world), {
    disk,
    files: world.files,
    self: world.selfText,
  })
}

function status(world: World): Command {
  return new Command('status')
    .description('Shows the nodes of a running development cluster.')
    .option('--data-dir <path>', `directory of the cluster (default: ${DEFAULT_DIRECTORY})`)
    .option('--dir <path>', 'the same')
    .option('--json', 'print one JSON object')
    .action(async (given: ControlGiven & { readonly json?: boolean }, self: Command) => {
      const here = world()
      const { status: found } = await control(here, self, { action: 'status' })
      if (found === undefined) throw new Error('a supervisor answers status with a status')
      if (given.json === true) return here.print(JSON.stringify(found))
      const { clock } = await here.makeEnv()
      here.print(statusText(found.nodes, clock.nowMs()).trimEnd())
    })
}

interface ControlGiven {
  readonly dataDir?: string
  readonly dir?: string
}

const ABOUT: Readonly<Record<DevAction, string>> = {
  kill: 'Ends nodes with SIGKILL; they stay down until "restart".',
  stop: 'Ends nodes with SIGTERM, so cleanly; they stay down until "restart".',
  restart: 'Starts nodes that are down; those that run are stopped first.',
  pause: 'Stops nodes with SIGSTOP, so that they are there and do nothing.',
  resume: 'Lets paused nodes go on (SIGCONT).',
}

const DONE: Readonly<Record<DevAction, string>> = {
  kill: 'killed; "dev restart" starts it again',
  stop: 'stopped; "dev restart" starts it again',
  restart: 'started',
  pause: 'paused; "dev resume" lets it go on',
  resume: 'goes on',
}

function actionCommand(action: DevAction, world: World): Command {
  return new Command(action)
    .description(ABOUT[action])
    .argument('<node...>', 'numbers of nodes, or all')
    .option('--data-dir <path>', `directory of the cluster (default: ${DEFAULT_DIRECTORY})`)
    .option('--dir <path>', 'the same')
    .action(async (given: readonly string[], _: ControlGiven, self: Command) => {
      const here = world()
      const nodes = given.includes('all')
        ? ('all' as const)
        : [...new Set(given.map((text) => whole(text, '<node>', 1)))]
      const { nodes: after = [] } = await control(here, self, { action, nodes })
      for (const { nodeId, pid } of after) {
        const process = action === 'restart' && pid !== null ? ` (pid ${pid})` : ''
        here.say(`node ${nodeId} ${DONE[action]}${process}`)
      }
    })
}

/** Options may stand before the command, too: `chronik dev --data-dir x status`. */
async function control(world: DevWorld, self: Command, request: ControlRequest) {
  const { dataDir, dir } = self.optsWithGlobals<ControlGiven>()
  const given = dataDir ?? dir
  const { disk } = await world.makeEnv()
  const directory = directoryOf(given === undefined ? {} : { dataDir: given }, world, disk)
  const note = await directory.readNote()
  const answer =
    note?.control === undefined
      ? undefined
      : await askSupervisor(world.callHttp, note.control, request)
  if (answer !== undefined) return answer
  const shown = shownPath(directory.path, world)
  const flag = shown === DEFAULT_DIRECTORY ? '' : ` --data-dir ${shown}`
  const where = given === undefined ? ', or say where one is with --data-dir' : ''
  throw new Failure(
    `no development cluster runs in ${shown}; "${world.selfText} dev${flag}" starts one${where}`,
  )
}

function statusText(nodes: readonly DevNodeReport[], nowMs: number): string {
  return textTable(
    ['node', 'pid', 'state', 'for', 'ready', 'kafka', 'raft', 'http'],
    nodes.map((node) => [
      node.nodeId,
      node.pid ?? '-',
      node.ended === null || node.state === 'killed' || node.state === 'stopped'
        ? node.state
        : `${node.state} (${node.ended})`,
      durationText(nowMs - node.sinceMs),
      node.ready ? 'yes' : node.state === 'up' ? `no: ${node.notReady}` : 'no',
      hostPort(node.kafka),
      hostPort(node.raft),
      hostPort(node.http),
    ]),
  )
}

/** `7 s`, `3 m 20 s`, `2 h 5 m` */
function durationText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} m ${seconds % 60} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} m`
}
