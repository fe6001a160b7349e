// Consumer groups of every client: a member joins and reads, a second one takes half of the partitions, both commit, the
// server is killed, and after its restart a new member goes on exactly where they had committed. All clients go through it
// at the same time, so that the run waits for rebalances once and kills the server once.

import type { ClientName, Context, Suite, Test } from '../suite.ts'
import type { Client, MemberStatus } from '../client.ts'
import { waitFor } from '../process.ts'

const partitions = 4

interface Group {
  readonly client: Client
  readonly topic: string
  readonly id: string
  failure: Error | undefined
}

export const groupsSuite: Suite = {
  name: 'groups',
  needs: [],
  tests(context) {
    const groups = new Map(context.available.map((name) => [name, newGroup(context, name)]))
    const tests: Test[] = [
      { name: 'topics and records', run: () => createAll(context, [...groups.values()]) },
      ...together(groups, 'one member reads all partitions', first),
      ...together(groups, 'a second member takes half of them', (group) => second(context, group)),
      ...together(groups, 'both commit', (group) => commitBoth(context, group, 200)),
      {
        name: 'SIGKILL of the server, and restart',
        timeoutMs: 90_000,
        run: () => killAndRestart(context),
      },
      ...together(groups, 'committed offsets are there after the restart', (group) =>
        committedIs(context, group, 200),
      ),
      ...together(groups, 'both members go on and commit', (group) => goOn(context, group)),
      ...together(groups, 'both members leave', closeBoth),
      ...together(groups, 'a new member goes on at the committed offsets', (group) =>
        resume(context, group),
      ),
    ]
    if (
      ['java', 'confluent', 'kafka-python'].every((name) =>
        context.available.includes(name as ClientName),
      )
    ) {
      tests.push({
        name: 'java, confluent and kafka-python share a group',
        timeoutMs: 90_000,
        run: () => mixed(context),
      })
    }
    return tests
  },
}

function newGroup(context: Context, name: ClientName): Group {
  const topic = context.topic(`groups-${name}`)
  return { client: context.client(name), topic, id: `${topic}-group`, failure: undefined }
}

async function outcome(group: Group, body: (group: Group) => Promise<void>): Promise<void> {
  if (group.failure !== undefined) throw new Error('not tried, an earlier step failed')
  try {
    await body(group)
  } catch (error) {
    group.failure = error instanceof Error ? error : new Error(String(error))
    throw group.failure
  }
}

/** One test per client, all started when the first of them runs. */
function together(
  groups: Map<ClientName, Group>,
  name: string,
  body: (group: Group) => Promise<void>,
): Test[] {
  let running: Map<ClientName, Promise<void>> | undefined
  const start = (): Map<ClientName, Promise<void>> => {
    const started = new Map([...groups].map(([client, group]) => [client, outcome(group, body)]))
    for (const promise of started.values()) promise.catch(() => {}) // each is awaited by its own test
    return started
  }
  return [...groups.keys()].map((client) => ({
    name: `${client}: ${name}`,
    timeoutMs: 90_000,
    run: async () => {
      running ??= start()
      await running.get(client)
    },
  }))
}

async function createAll(context: Context, groups: readonly Group[]): Promise<void> {
  await context.createTopics(...groups.map(({ topic }) => ({ topic, numPartitions: partitions })))
  for (const { topic } of groups) await context.send(topic, partitions, 0, 100)
}

/** Waits until the condition holds for the members' statuses; fails with the last ones. */
async function until(
  { client, id }: Group,
  members: readonly string[],
  what: string,
  holds: (statuses: readonly MemberStatus[]) => boolean,
): Promise<void> {
  let last: readonly MemberStatus[] = []
  try {
    await waitFor(what, 40_000, async () => {
      last = await Promise.all(members.map((member) => client.status(`${id}-${member}`)))
      return holds(last) ? true : undefined
    })
  } catch (error) {
    throw new Error(`${what}: ${JSON.stringify(last)}`, { cause: error })
  }
}

function lastOffsets(statuses: readonly MemberStatus[]): number[] {
  return Array.from({ length: partitions }, (_, p) =>
    Math.max(...statuses.map(({ received }) => received[p]?.[1] ?? -1)),
  )
}

async function first(group: Group): Promise<void> {
  await group.client.join(`${group.id}-a`, group.topic, group.id)
  await until(group, ['a'], 'one member with all partitions and all records', ([a]) => {
    const counts = Object.values(a?.received ?? {}).map(([, , count]) => count)
    return (
      a?.assigned.length === partitions &&
      counts.length === partitions &&
      counts.every((count) => count === 100)
    )
  })
}

async function second(context: Context, group: Group): Promise<void> {
  await group.client.join(`${group.id}-b`, group.topic, group.id)
  await until(group, ['a', 'b'], 'two partitions each', ([a, b]) => {
    const all = new Set([...(a?.assigned ?? []), ...(b?.assigned ?? [])])
    return a?.assigned.length === 2 && b?.assigned.length === 2 && all.size === partitions
  })
  await context.send(group.topic, partitions, 100, 100)
  const arrived = (statuses: readonly MemberStatus[]): boolean =>
    lastOffsets(statuses).every((offset) => offset === 199)
  await until(group, ['a', 'b'], 'all new records at one of the two', arrived)
}

async function commitBoth(context: Context, group: Group, expected: number): Promise<void> {
  for (const member of ['a', 'b']) {
    const committed = await group.client.commit(`${group.id}-${member}`)
    const wrong = Object.entries(committed).filter(([, offset]) => offset !== expected)
    if (wrong.length > 0)
      throw new Error(`committed ${JSON.stringify(committed)}, expected ${expected} everywhere`)
  }
  // Another client must see it too (and kcat, which commits by itself, may take a moment).
  await committedIs(context, group, expected)
}

async function committedIs(context: Context, group: Group, expected: number): Promise<void> {
  const { id, topic } = group
  let offsets: readonly string[] = []
  await context.withAdmin((admin) =>
    waitFor(`committed offset ${expected} in every partition`, 20_000, async () => {
      const [fetched] = await retriable(admin.fetchOffsets({ groupId: id, topics: [topic] }), [])
      offsets = fetched?.partitions.map(({ offset }) => offset) ?? []
      const all = offsets.length === partitions && offsets.every((o) => o === String(expected))
      return all ? true : undefined
    }).catch((error: Error) => {
      throw new Error(`${error.message}: ${offsets.join(' ')}`)
    }),
  )
}

/** Errors that the protocol tells a client to retry, such as a coordinator that is still loading, count as no answer. */
async function retriable<T>(promise: Promise<T>, none: T): Promise<T> {
  try {
    return await promise
  } catch (error) {
    if (error instanceof Error && 'retriable' in error && error.retriable === true) return none
    throw error
  }
}

async function killAndRestart(context: Context): Promise<void> {
  await context.server.kill()
  await context.server.start()
}

/** The members that were there go on by themselves: they read what is new and can commit it. */
async function goOn(context: Context, group: Group): Promise<void> {
  if (group.client.name === 'kcat') {
    // kcat ends when it loses its only broker; its second life is the new member's.
    await Promise.all(['a', 'b'].map((member) => group.client.leave(`${group.id}-${member}`)))
    await context.send(group.topic, partitions, 200, 10)
    await group.client.join(`${group.id}-a`, group.topic, group.id)
    await group.client.join(`${group.id}-b`, group.topic, group.id)
  } else {
    await context.send(group.topic, partitions, 200, 10)
  }
  const arrived = (statuses: readonly MemberStatus[]): boolean =>
    lastOffsets(statuses).every((offset) => offset === 209) &&
    statuses.every(({ assigned }) => assigned.length === 2)
  await until(group, ['a', 'b'], 'two partitions each and what is new in all of them', arrived)
  // A member may learn only now that it must join again, and is told so when it commits.
  let refusal = ''
  await waitFor('a commit of both members', 20_000, async () => {
    try {
      await commitBoth(context, group, 210)
      return true
    } catch (error) {
      refusal = error instanceof Error ? error.message : String(error)
      return undefined
    }
  }).catch((error: Error) => {
    throw new Error(`${error.message}: ${refusal}`)
  })
}

async function closeBoth({ client, id }: Group): Promise<void> {
  await Promise.all(['a', 'b'].map((member) => client.leave(`${id}-${member}`)))
}

async function resume(context: Context, group: Group): Promise<void> {
  await context.send(group.topic, partitions, 210, 10)
  await group.client.join(`${group.id}-c`, group.topic, group.id)
  await until(group, ['c'], 'exactly the ten new records of each partition', ([c]) => {
    const entries = Object.values(c?.received ?? {})
    const started = entries.every(([from]) => from === 210)
    if (!started)
      throw new Error(`began before or after the committed offsets: ${JSON.stringify(c)}`)
    return (
      entries.length === partitions && entries.every(([, to, count]) => to === 219 && count === 10)
    )
  })
  await group.client.leave(`${group.id}-c`)
}

/** Three languages in one group: the range assignor is common to them, and each decodes what another encoded. */
async function mixed(context: Context): Promise<void> {
  const topic = context.topic('groups-mixed')
  await context.createTopics({ topic, numPartitions: 6 })
  await context.send(topic, 6, 0, 20)
  const clients = (['java', 'confluent', 'kafka-python'] as const).map((name) =>
    context.client(name),
  )
  for (const client of clients) await client.join(topic, topic, topic)
  let last: MemberStatus[] = []
  const all = (what: string, holds: () => boolean): Promise<boolean> =>
    waitFor(what, 30_000, async () => {
      last = await Promise.all(clients.map((client) => client.status(topic)))
      return holds() ? true : undefined
    }).catch((error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(last)}`)
    })
  await all('two partitions each', () => {
    const taken = new Set(last.flatMap(({ assigned }) => assigned))
    return taken.size === 6 && last.every(({ assigned }) => assigned.length === 2)
  })
  await context.send(topic, 6, 20, 20)
  const ends = (): number[] =>
    Array.from({ length: 6 }, (_, p) =>
      Math.max(...last.map(({ received }) => received[p]?.[1] ?? -1)),
    )
  await all('all records', () => ends().every((offset) => offset === 39))
  await Promise.all(clients.map((client) => client.leave(topic)))
}
