// Whatever happens to commits and deletions on their way (slow, unknown, cut off, overtaken by a change of leaders): what was
// acknowledged is there in the end, nothing is there that nobody asked for, and the coordinator knows what its log says.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ErrorCode } from '../protocol/error-codes.ts'
import { GroupRig } from './testing/group-rig.ts'

const GROUPS = ['a', 'b'] as const
type GroupId = (typeof GROUPS)[number]

type Step =
  | { readonly kind: 'commit' | 'delete'; readonly group: GroupId }
  | { readonly kind: 'written' | 'late' | 'topic-deleted' | 'cut-off' | 'taken-over' | 'passed-on' }

/** What one request asked for, in the order of the log, and what its client was told. */
interface Asked {
  /** -1: deleted. */
  readonly offset: number
  told: 'done' | 'refused' | 'unknown'
}

class History {
  readonly rig = new GroupRig()
  readonly #asked = new Map<GroupId, Asked[]>(GROUPS.map((group) => [group, []]))
  readonly #waiting: Promise<void>[] = []
  #offset = 0

  async begin(): Promise<void> {
    await this.rig.time.settle()
    this.rig.log.autoCommit = false
  }

  async take(step: Step): Promise<void> {
    const { rig } = this
    switch (step.kind) {
      case 'commit':
        this.#offset += 1
        this.#ask(step.group, this.#offset, rig.commitOne(this.#offset, { groupId: step.group }))
        break
      case 'delete':
        this.#ask(
          step.group,
          -1,
          rig.delete(step.group).then(([error]) => error!),
        )
        break
      case 'topic-deleted':
        rig.deleteTopic('t')
        rig.topics.set('t', 4)
        rig.recreated.set('t', (rig.recreated.get('t') ?? 0) + 1)
        for (const asked of this.#asked.values()) asked.push({ offset: -1, told: 'unknown' })
        break
      case 'written':
        if (rig.log.role.kind === 'leader') rig.log.commit()
        break
      case 'late':
        await rig.time.advance(5_001)
        break
      case 'cut-off':
        rig.log.loseLeadership()
        rig.log.truncate({
          epoch: rig.log.epochs.epochAt(rig.log.highWatermark),
          offset: rig.log.highWatermark,
        })
        rig.log.lead()
        break
      case 'taken-over':
        rig.log.loseLeadership()
        rig.log.lead()
        break
      case 'passed-on':
        rig.log.loseLeadership()
        break
    }
    await rig.time.settle()
    if (step.kind === 'passed-on') rig.log.lead({ established: false })
  }

  #ask(group: GroupId, offset: number, answer: Promise<number>): void {
    const asked: Asked = { offset, told: 'unknown' }
    this.#asked.get(group)!.push(asked)
    this.#waiting.push(
      answer.then((error) => {
        if (error === ErrorCode.NONE) asked.told = 'done'
        // Nothing was appended for these.
        else if (error === ErrorCode.GROUP_ID_NOT_FOUND) asked.told = 'refused'
      }),
    )
  }

  async end(): Promise<void> {
    const { rig } = this
    if (rig.log.role.kind !== 'leader') rig.log.lead()
    rig.log.commit()
    rig.log.autoCommit = true
    await rig.time.advance(10_000)
    await Promise.all(this.#waiting)
  }

  /** The offsets that the group may have, by what its clients were told. */
  possible(group: GroupId): Set<number> {
    let possible = new Set([-1])
    for (const { offset, told } of this.#asked.get(group)!) {
      if (told === 'done') possible = new Set([offset])
      else if (told === 'unknown') possible.add(offset)
    }
    return possible
  }
}

const offsetsOf = async (rig: GroupRig): Promise<(number | string)[]> => {
  const offsets: (number | string)[] = []
  for (const group of GROUPS) offsets.push(await rig.fetchOne(group))
  return offsets
}

const group = fc.constantFrom(...GROUPS)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('commit' as const), group }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), group }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('written' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('late', 'topic-deleted', 'cut-off', 'taken-over', 'passed-on'),
    }),
  },
)

test('offsets are what clients were told, and what the log says', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const history = new History()
      await history.begin()
      for (const each of steps) await history.take(each)
      await history.end()
      const { rig } = history
      const offsets = await offsetsOf(rig)
      GROUPS.forEach((name, i) => {
        const possible = history.possible(name)
        assert.ok(possible.has(offsets[i] as number), `${name}: ${offsets[i]} of ${[...possible]}`)
      })
      const listed = (await rig.list()).groups.map(({ groupId }) => groupId)
      // A group without offsets may be there until the next clean-up.
      const kept = GROUPS.filter((_, i) => offsets[i] !== -1)
      assert.deepEqual(
        kept.filter((name) => !listed.includes(name)),
        [],
      )
      const again = new GroupRig({ logs: rig.logs, time: rig.time })
      for (const [topic, times] of rig.recreated) again.recreated.set(topic, times)
      await rig.time.settle()
      assert.deepEqual(await offsetsOf(again), offsets)
      for (const name of kept) assert.deepEqual(await rig.delete(name), [ErrorCode.NONE])
      assert.deepEqual(await offsetsOf(rig), [-1, -1])
    }),
    { numRuns: 60 },
  )
})
