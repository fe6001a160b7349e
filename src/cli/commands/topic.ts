// `chronik topic`: create, list, describe, delete and alter topics.

import { Command } from 'commander'
import { alterConfig, describeConfig } from '../../client/admin-configs.ts'
import {
  createTopic,
  deleteTopic,
  describeTopics,
  growTopic,
  listTopics,
} from '../../client/admin-topics.ts'
import { KafkaError } from '../../client/client-error.ts'
import type { Cluster, TopicInfo } from '../../client/cluster.ts'
import { findOffsets, keyOf } from '../../client/partition-offsets.ts'
import {
  assignment,
  type AccessOptions,
  collect,
  whole,
  withAccess,
  withCluster,
} from '../cluster-access.ts'
import type { DataWorld } from '../data-world.ts'
import { Failure, usage } from '../failure.ts'
import { realDataWorld } from '../real-data-world.ts'
import { plural } from '../amounts.ts'
import { textTable } from '../text-table.ts'

interface CreateOptions extends AccessOptions {
  readonly partitions?: string
  readonly replicationFactor?: string
  readonly config?: readonly string[]
  readonly ifNotExists?: boolean
}

interface ListOptions extends AccessOptions {
  readonly json?: boolean
  readonly all?: boolean
}

interface AlterOptions extends AccessOptions {
  readonly partitions?: string
  readonly config?: readonly string[]
  readonly resetConfig?: readonly string[]
}

export function command(world: () => DataWorld = realDataWorld): Command {
  const topic = new Command('topic').description(
    'Creates, lists, describes, deletes and alters topics.',
  )
  topic.addCommand(create(world))
  topic.addCommand(list(world))
  topic.addCommand(describe(world))
  topic.addCommand(remove(world))
  topic.addCommand(alter(world))
  return topic
}

function create(world: () => DataWorld): Command {
  return withAccess(new Command('create'))
    .description('Creates a topic.')
    .argument('<name>')
    .option('-p, --partitions <number>', "default: the node's num.partitions")
    .option('-r, --replication-factor <number>', "default: the node's default.replication.factor")
    .option('-c, --config <name=value>', 'set a topic config; may be repeated', collect)
    .option('--if-not-exists', 'it is no failure if the topic is there already')
    .addHelpText(
      'after',
      '\nExample:\n  chronik topic create orders --partitions 6 --config retention.ms=604800000',
    )
    .action(async (name: string, given: CreateOptions) => {
      const { partitions, replicationFactor, config = [] } = given
      const topic = {
        name,
        configs: Object.fromEntries(config.map((text) => assignment(text, '--config'))),
        ...(partitions === undefined ? {} : { partitions: whole(partitions, '--partitions', 1) }),
        ...(replicationFactor === undefined
          ? {}
          : { replicationFactor: whole(replicationFactor, '--replication-factor', 1) }),
      }
      const here = world()
      await withCluster(here, given, async (cluster) => {
        try {
          const created = await createTopic(cluster, topic)
          const count =
            created.partitions < 0 ? '' : ` with ${plural(created.partitions, 'partition')}`
          here.say(`created ${name}${count}`)
        } catch (error) {
          const exists = error instanceof KafkaError && error.error === 'TOPIC_ALREADY_EXISTS'
          if (!exists || given.ifNotExists !== true) throw error
          here.say(`${name} is there already`)
        }
      })
    })
}

function list(world: () => DataWorld): Command {
  return withAccess(new Command('list'))
    .description('Lists the topics.')
    .option('-a, --all', 'internal ones too')
    .option('--json', 'print JSON lines')
    .action(async (given: ListOptions) => {
      const here = world()
      await withCluster(here, given, async (cluster) => {
        const topics = (await listTopics(cluster)).filter(
          (topic) => given.all === true || !topic.internal,
        )
        if (given.json === true) {
          for (const topic of topics) await here.output.write(`${JSON.stringify(summary(topic))}\n`)
          return
        }
        if (topics.length === 0) {
          here.say('there are no topics; create one with "chronik topic create <name>"')
          return
        }
        const rows = topics.map((topic) => [topic.name, topic.partitions.length, replicasOf(topic)])
        await here.output.write(textTable(['topic', 'partitions', 'replicas'], rows))
      })
    })
}

function describe(world: () => DataWorld): Command {
  return withAccess(new Command('describe'))
    .description(
      'Shows the partitions of a topic with their offsets, and the configs that are set.',
    )
    .argument('<name>')
    .option('--json', 'print one JSON object')
    .action(async (name: string, given: ListOptions) => {
      const here = world()
      await withCluster(here, given, async (cluster) => {
        const description = await describeTopic(cluster, name)
        if (given.json === true) await here.output.write(`${JSON.stringify(description)}\n`)
        else await here.output.write(described(description))
      })
    })
}

function remove(world: () => DataWorld): Command {
  return withAccess(new Command('delete'))
    .description('Deletes a topic and its records.')
    .argument('<name>')
    .option('-y, --yes', 'do not ask')
    .action(async (name: string, given: AccessOptions & { readonly yes?: boolean }) => {
      const here = world()
      if (given.yes !== true) await confirm(here, name)
      await withCluster(here, given, (cluster) => deleteTopic(cluster, name))
      here.say(`deleted ${name}`)
    })
}

async function confirm(world: DataWorld, name: string): Promise<void> {
  if (world.ask === undefined) {
    throw usage(`there is no terminal to ask at; "chronik topic delete ${name} --yes" deletes it`)
  }
  if (await world.ask(`Delete topic ${name} and all its records? This can't be undone. [y/N] `))
    return
  throw new Failure('nothing was deleted')
}

function alter(world: () => DataWorld): Command {
  return withAccess(new Command('alter'))
    .description('Adds partitions to a topic, or changes its configs.')
    .argument('<name>')
    .option('-p, --partitions <number>', 'how many it shall have in all')
    .option('-c, --config <name=value>', 'set a topic config; may be repeated', collect)
    .option('--reset-config <name>', 'return a config to its default; may be repeated', collect)
    .addHelpText(
      'after',
      '\nWith more partitions, keys go to other partitions than before.\n\nExample:\n' +
        '  chronik topic alter orders --config retention.ms=86400000 --reset-config max.message.bytes',
    )
    .action(async (name: string, given: AlterOptions) => {
      const { partitions, config = [], resetConfig = [] } = given
      if (partitions === undefined && config.length + resetConfig.length === 0) {
        throw usage('nothing to change; give --partitions, --config or --reset-config')
      }
      const count = partitions === undefined ? undefined : whole(partitions, '--partitions', 1)
      const changes: Record<string, string | null> = Object.fromEntries([
        ...config.map((text) => assignment(text, '--config')),
        ...resetConfig.map((key): [string, null] => [key, null]),
      ])
      const here = world()
      await withCluster(here, given, async (cluster) => {
        if (Object.keys(changes).length > 0)
          await alterConfig(cluster, { type: 'topic', name }, changes)
        if (count !== undefined) await growTopic(cluster, name, count)
      })
      here.say(`altered ${name}`)
    })
}

interface TopicDescription {
  readonly name: string
  readonly topicId: string
  readonly partitions: readonly {
    readonly partition: number
    readonly leader: number
    readonly leaderEpoch: number
    readonly replicas: readonly number[]
    readonly inSync: readonly number[]
    readonly start: number
    readonly end: number
  }[]
  /** Those that are set on the topic. */
  readonly configs: Readonly<Record<string, string | null>>
}

async function describeTopic(cluster: Cluster, name: string): Promise<TopicDescription> {
  const [topic] = await describeTopics(cluster, [name])
  const partitions = topic?.partitions ?? []
  const all = partitions.map(({ partition }) => ({ topic: name, partition }))
  const offsetsAt = async (at: 'beginning' | 'end'): Promise<Map<string, number>> => {
    const found = await findOffsets(
      cluster,
      all.map((p) => ({ ...p, at })),
    )
    return new Map(found.map((f) => [keyOf(f), f.offset]))
  }
  const [starts, ends] = [await offsetsAt('beginning'), await offsetsAt('end')]
  const configs = await describeConfig(cluster, { type: 'topic', name })
  return {
    name,
    topicId: topic?.topicId ?? '',
    partitions: partitions.map((info) => {
      const key = keyOf({ topic: name, partition: info.partition })
      return {
        partition: info.partition,
        leader: info.leader,
        leaderEpoch: info.leaderEpoch,
        replicas: info.replicas,
        inSync: info.inSyncReplicas,
        start: starts.get(key) ?? -1,
        end: ends.get(key) ?? -1,
      }
    }),
    configs: Object.fromEntries(
      configs.filter((entry) => !entry.isDefault).map((entry) => [entry.name, entry.value]),
    ),
  }
}

function described({ name, topicId, partitions, configs }: TopicDescription): string {
  const records = partitions.reduce((sum, { start, end }) => sum + end - start, 0)
  const set = Object.entries(configs).map(([key, value]) => `${key}=${value ?? ''}`)
  const rows = partitions.map((p) => [
    p.partition,
    p.leader,
    p.leaderEpoch,
    p.replicas.join(','),
    p.inSync.join(','),
    p.start,
    p.end,
  ])
  return [
    `topic     ${name}  (id ${topicId})`,
    `offsets   ${records} in ${plural(partitions.length, 'partition')}`,
    `configs   ${set.length === 0 ? 'all default' : set.join('  ')}`,
    '',
    textTable(['partition', 'leader', 'epoch', 'replicas', 'in sync', 'start', 'end'], rows),
  ].join('\n')
}

function summary(topic: TopicInfo): Record<string, unknown> {
  const { name, topicId, internal, partitions } = topic
  return { name, topicId, internal, partitions: partitions.length, replicas: replicasOf(topic) }
}

function replicasOf(topic: TopicInfo): number {
  return topic.partitions[0]?.replicas.length ?? 0
}
