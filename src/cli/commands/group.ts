// `chronik group`: list and describe consumer groups.

import { Command } from 'commander'
import {
  describeGroup,
  groupProgress,
  listAllGroups,
  type DescribedGroup,
  type GroupProgress,
} from '../../client/admin-groups.ts'
import { type AccessOptions, withAccess, withCluster } from '../cluster-access.ts'
import type { DataWorld } from '../data-world.ts'
import { Failure } from '../failure.ts'
import { realDataWorld } from '../real-data-world.ts'
import { textTable, type Cell } from '../text-table.ts'

interface Given extends AccessOptions {
  readonly json?: boolean
}

export function command(world: () => DataWorld = realDataWorld): Command {
  const group = new Command('group').description('Lists and describes consumer groups.')
  group.addCommand(list(world))
  group.addCommand(describe(world))
  return group
}

function list(world: () => DataWorld): Command {
  return withAccess(new Command('list'))
    .description('Lists the consumer groups.')
    .option('--json', 'print JSON lines')
    .action(async (given: Given) => {
      const here = world()
      await withCluster(here, given, async (cluster) => {
        const groups = await listAllGroups(cluster)
        if (given.json === true) {
          for (const group of groups) await here.output.write(`${JSON.stringify(group)}\n`)
        } else if (groups.length === 0) {
          here.say('there are no groups')
        } else {
          const rows = groups.map(({ groupId, state, protocolType }) => [
            groupId,
            state,
            protocolType,
          ])
          await here.output.write(textTable(['group', 'state', 'type'], rows))
        }
      })
    })
}

function describe(world: () => DataWorld): Command {
  return withAccess(new Command('describe'))
    .description('Shows the members of a group and how far it came in each partition.')
    .argument('<group>')
    .option('--json', 'print one JSON object')
    .action(async (groupId: string, given: Given) => {
      const here = world()
      await withCluster(here, given, async (cluster) => {
        const group = await describeGroup(cluster, groupId)
        const progress = await groupProgress(cluster, groupId)
        if (group.state === 'Dead' && progress.length === 0) {
          throw new Failure(
            `there is no group ${groupId} ("chronik group list" shows what there is)`,
          )
        }
        const text =
          given.json === true
            ? `${JSON.stringify({ ...group, progress })}\n`
            : described(group, progress)
        await here.output.write(text)
      })
    })
}

const HEAD = ['topic', 'partition', 'committed', 'end', 'lag', 'member', 'host']

function described(group: DescribedGroup, progress: readonly GroupProgress[]): string {
  const owners = new Map<string, { member: string; host: string }>()
  for (const { memberId, clientHost, assignment } of group.members) {
    for (const { topic, partition } of assignment) {
      owners.set(`${topic} ${partition}`, { member: memberId, host: clientHost.replace(/^\//, '') })
    }
  }
  const rows: Cell[][] = progress.map(({ topic, partition, committed, end }) => {
    const owner = owners.get(`${topic} ${partition}`)
    owners.delete(`${topic} ${partition}`)
    const lag = end < 0 ? '' : Math.max(end - committed, 0)
    return [
      topic,
      partition,
      committed,
      end < 0 ? '' : end,
      lag,
      owner?.member ?? '',
      owner?.host ?? '',
    ]
  })
  for (const [key, { member, host }] of owners) {
    const [topic = '', partition = ''] = key.split(' ')
    rows.push([topic, Number(partition), '', '', '', member, host])
  }
  const protocol = group.protocol === '' ? '' : `  (${group.protocol})`
  return [
    `group     ${group.groupId}`,
    `state     ${group.state}${protocol}`,
    `members   ${group.members.length}`,
    '',
    rows.length === 0 ? 'it has committed no offsets\n' : textTable(HEAD, rows),
  ].join('\n')
}
