// `chronik cluster`: looks at a cluster and moves its leaderships, over HTTP.

import { Command } from 'commander'
import type { DrainAccepted, TransferDone } from '../../admin/cluster-admin.ts'
import type { PartitionRow } from '../../admin/cluster-status.ts'
import { callHttp } from '../../env/node/http-client.ts'
import { type AdminAccess, AdminClient, type AdminWorld, withAdminAccess } from '../admin-client.ts'
import { plural } from '../amounts.ts'
import { positive, whole } from '../cluster-access.ts'
import { clusterText, partitionsText } from '../cluster-text.ts'
import { Failure } from '../failure.ts'
import { realDataWorld } from '../real-data-world.ts'

type World = () => AdminWorld

export function command(world: World = realAdminWorld): Command {
  return new Command('cluster')
    .description('Looks at a cluster and moves its leaderships.')
    .addCommand(status(world))
    .addCommand(transferLeader(world))
    .addCommand(drain(world))
}

function realAdminWorld(): AdminWorld {
  return { ...realDataWorld(), callHttp }
}

interface StatusGiven extends AdminAccess {
  readonly json?: boolean
  readonly partitions?: boolean
  readonly topic?: string
}

function status(world: World): Command {
  return withAdminAccess(new Command('status'))
    .description('Shows nodes, controller, and how the partitions are.')
    .option('--json', 'print one JSON object')
    .option('--partitions', 'list every partition too')
    .option('--topic <name>', 'list the partitions of this topic')
    .action(async (given: StatusGiven) => {
      const { output, ...rest } = world()
      const client = new AdminClient({ output, ...rest }, given)
      const whole = await client.status()
      const rows: PartitionRow[] = []
      const listed = given.partitions === true || given.topic !== undefined
      if (listed) for await (const row of client.partitions(given.topic)) rows.push(row)
      if (given.topic !== undefined && rows.length === 0) {
        throw new Failure(`there is no topic ${given.topic}`)
      }
      const text =
        given.json === true
          ? `${JSON.stringify(listed ? { ...whole, page: { partitions: rows, next: null } } : whole)}\n`
          : `${clusterText(whole)}${listed ? `\n${partitionsText(rows)}` : ''}`
      await output.write(text)
    })
}

interface TransferGiven extends AdminAccess {
  readonly to?: string
  readonly json?: boolean
}

function transferLeader(world: World): Command {
  return withAdminAccess(new Command('transfer-leader'))
    .description('Hands the leadership of one partition over.')
    .argument('<topic>')
    .argument('<partition>')
    .option('--to <node>', 'which replica leads next (default: the preferred one)')
    .option('--json', 'print one JSON object')
    .action(async (topic: string, partitionText: string, given: TransferGiven) => {
      const here = world()
      const partition = whole(partitionText, '<partition>')
      const to = given.to === undefined ? {} : { to: whole(given.to, '--to') }
      const done = await new AdminClient(here, given).change<TransferDone>('transfer-leader', {
        topic,
        partition,
        ...to,
      })
      if (given.json === true) return here.output.write(`${JSON.stringify(done)}\n`)
      here.say(`node ${done.leader} leads ${topic}-${partition} in epoch ${done.leaderEpoch}`)
    })
}

interface DrainGiven extends AdminAccess {
  readonly undo?: boolean
  /** commander's name for --no-wait. */
  readonly wait: boolean
  readonly waitSeconds?: string
  readonly json?: boolean
}

const WAIT_DEFAULT_S = 120
const POLL_MS = 500

const drainHelpEnd = `
A drained node goes on holding its replicas and leads nothing, until --undo; so it can be stopped without any client waiting for
an election. Draining outlives restarts.`

function drain(world: World): Command {
  return withAdminAccess(new Command('drain'))
    .description('Moves all leaderships off a node, and keeps them off.')
    .argument('<node>')
    .option('--undo', 'let the node lead again')
    .option('--no-wait', 'do not wait until it leads nothing')
    .option('--wait-seconds <seconds>', `wait at most so long (default: ${WAIT_DEFAULT_S})`)
    .option('--json', 'print one JSON object')
    .addHelpText('after', drainHelpEnd)
    .action(async (nodeText: string, given: DrainGiven) => {
      const here = world()
      const node = whole(nodeText, '<node>')
      const undo = given.undo === true
      const waitMs = positive(given.waitSeconds ?? `${WAIT_DEFAULT_S}`, '--wait-seconds') * 1000
      const client = new AdminClient(here, given)
      const { leaderships } = await client.change<DrainAccepted>('drain', { node, undo })
      const left =
        undo || !given.wait ? leaderships : await waitUntilEmpty(here, client, node, waitMs)
      if (given.json === true) {
        await here.output.write(`${JSON.stringify({ node, draining: !undo, leaderships: left })}\n`)
      } else if (undo) {
        here.say(`node ${node} may lead again; its leaderships come back by and by`)
      } else if (given.wait) {
        here.say(`node ${node} leads nothing any more`)
      } else {
        here.say(`node ${node} is being drained; it leads ${plural(left, 'partition')}`)
      }
    })
}

/** Resolves with 0; fails when it takes too long. */
async function waitUntilEmpty(
  { env }: AdminWorld,
  client: AdminClient,
  nodeId: number,
  waitMs: number,
): Promise<number> {
  const untilMs = env.clock.monotonicMs() + waitMs
  for (;;) {
    const { nodes } = await client.status()
    const leaders = nodes.find((node) => node.nodeId === nodeId)?.leaders ?? 0
    if (leaders === 0) return 0
    if (env.clock.monotonicMs() >= untilMs) {
      throw new Failure(
        `node ${nodeId} still leads ${plural(leaders, 'partition')}; draining goes on ("chronik cluster status" shows how far it is)`,
      )
    }
    await new Promise<void>((resolve) => void env.timers.after(POLL_MS, resolve))
  }
}
