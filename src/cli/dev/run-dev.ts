// A development cluster from its start to its end: directory, ports, nodes, the door for the other commands.

import { hostPort } from '../../base/hosts.ts'
import type { Env } from '../../env/env.ts'
import { NetError } from '../../env/network.ts'
import { Failure } from '../failure.ts'
import { type Stoppable, runUntilStopped } from '../stopping.ts'
import { listenForControl } from './control.ts'
import { devBanner } from './dev-banner.ts'
import { DevCluster } from './dev-cluster.ts'
import type { DevWorld } from './dev-world.ts'
import type { DevDirectory } from './directory.ts'
import { type NodeLayout, nodeEnvironment, startArguments } from './layout.ts'
import { NodeLogs } from './node-logs.ts'

export interface RunOptions {
  readonly nodes: readonly NodeLayout[]
  readonly restart: boolean
  /** `name=value` for every node. */
  readonly sets: readonly string[]
}

/** How long a port may still be held by the nodes of a supervisor that was killed; they end within 2 s. */
const PORT_PATIENCE_MS = 2500
const PORT_RETRY_MS = 100
const READY_POLL_MS = 50
/** After that, it is said what is waited for. */
const READY_PATIENCE_MS = 10_000

export async function runDev(
  world: DevWorld,
  env: Env,
  directory: DevDirectory,
  options: RunOptions,
): Promise<void> {
  const lock = await directory.lock()
  try {
    const before = await directory.readNote()
    const kept = await directory.holdsData()
    await checkPorts(env, options.nodes, before?.control === undefined ? 0 : PORT_PATIENCE_MS)
    let cluster: RunningCluster | undefined
    const exitNow = (code: 0 | 1): never => {
      cluster?.killAll()
      return world.exitNow(code)
    }
    await runUntilStopped({ ...world, exitNow }, env, async () => {
      cluster = await startCluster(world, env, directory, options, kept)
      return cluster
    })
    world.say('stopped')
  } finally {
    await lock.release()
  }
}

interface RunningCluster extends Stoppable {
  killAll(): void
}

async function startCluster(
  world: DevWorld,
  env: Env,
  directory: DevDirectory,
  { nodes, restart, sets }: RunOptions,
  kept: boolean,
): Promise<RunningCluster> {
  const logs = new NodeLogs(world.say)
  const environment = nodeEnvironment(world.environment)
  const cluster = new DevCluster(
    {
      clock: env.clock,
      timers: env.timers,
      startChild: world.startChild,
      callHttp: world.callHttp,
      log: (node, line) => logs.write(node, line),
      say: world.say,
    },
    {
      nodes,
      restart,
      command: (node) => ({
        program: world.self.program,
        args: [...world.self.args, ...startArguments(node, nodes, sets)],
        environment,
      }),
    },
  )
  const token = Buffer.from(env.random.bytes(16)).toString('hex')
  const supervisor = { pid: world.pid, directory: directory.path }
  const door = await listenForControl(world.http, { cluster, token, supervisor })
  const count = nodes.length
  const control = { pid: world.pid, port: door.address.port, token }
  await directory.writeNote({ nodes: count, control })
  cluster.start()
  let stopping = false
  const failed = Promise.withResolvers<Error>()
  void cluster.refused.then(failed.resolve)
  const announced = announce(world, env, cluster, { directory, kept }, () => stopping).catch(
    (error: unknown) => failed.resolve(error instanceof Error ? error : new Error(String(error))),
  )
  return {
    failed: failed.promise,
    killAll: () => cluster.killAll(),
    stop: async () => {
      stopping = true
      await door.close()
      await cluster.stop()
      await announced
      logs.close()
      await directory.writeNote({ nodes: count })
    },
  }
}

/** Fails where another program has one of the ports. */
async function checkPorts(
  env: Pick<Env, 'clock' | 'timers' | 'network'>,
  nodes: readonly NodeLayout[],
  patienceMs: number,
): Promise<void> {
  const untilMs = env.clock.monotonicMs() + patienceMs
  const ports = nodes.flatMap(({ nodeId, kafka, raft, http }) => [
    { nodeId, address: kafka, what: 'Kafka', flag: '--kafka-port' },
    { nodeId, address: raft, what: 'Raft', flag: '--raft-port' },
    { nodeId, address: http, what: 'HTTP', flag: '--http-port' },
  ])
  for (const { nodeId, address, what, flag } of ports) {
    for (;;) {
      const failure = await probe(env, address)
      if (failure === undefined) break
      if (failure.code === 'EADDRINUSE' && env.clock.monotonicMs() < untilMs) {
        await new Promise<void>((resolve) => void env.timers.after(PORT_RETRY_MS, resolve))
        continue
      }
      const why =
        failure.code === 'EADDRINUSE'
          ? 'is in use by another program; stop that one'
          : failure.message
      throw new Failure(
        `${hostPort(address)}, for ${what} of node ${nodeId}, ${why}, or give other ports with ${flag}`,
        { cause: failure },
      )
    }
  }
}

async function probe(
  { network }: Pick<Env, 'network'>,
  address: NodeLayout['kafka'],
): Promise<NetError | undefined> {
  try {
    const listener = await network.listen(address, (connection) => {
      connection.start({ onData: () => undefined, onClose: () => undefined })
      connection.destroy()
    })
    await listener.close()
    return undefined
  } catch (error) {
    if (error instanceof NetError) return error
    throw error
  }
}

/** Says once that the cluster is ready, or what it waits for. */
async function announce(
  world: DevWorld,
  env: Pick<Env, 'clock' | 'timers'>,
  cluster: DevCluster,
  about: { readonly directory: DevDirectory; readonly kept: boolean },
  isOver: () => boolean,
): Promise<void> {
  const impatientMs = env.clock.monotonicMs() + READY_PATIENCE_MS
  let told = false
  while (!isOver()) {
    const report = await cluster.report()
    const waited = report.filter(
      ({ ready, state }) => !ready && !['killed', 'stopped'].includes(state),
    )
    if (isOver()) return
    if (waited.length === 0) return world.print(devBanner(world, cluster, about))
    if (!told && env.clock.monotonicMs() > impatientMs) {
      told = true
      const what = waited.map(({ nodeId, notReady }) => `node ${nodeId} (${notReady})`)
      world.say(`still waiting for ${what.join(', ')}; logs are beside the data, node-N.log`)
    }
    await new Promise<void>((resolve) => void env.timers.after(READY_POLL_MS, resolve))
  }
}
