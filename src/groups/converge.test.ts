// Whatever members do (join, leave, die, sync late, lose their coordinator), once they are left in peace the group becomes
// stable, in one generation, and every member has what its leader assigned to it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ErrorCode } from '../protocol/error-codes.ts'
import { bytesOf, GroupRig, textOf } from './testing/group-rig.ts'

/** A client that follows the protocol: joins, syncs, heartbeats, and starts over when it is told to. */
class Client {
  readonly #rig: GroupRig
  readonly #instanceId: string | null
  memberId = ''
  generation = -1
  assignment: string | undefined
  alive = true
  #busy = false

  constructor(rig: GroupRig, instanceId: string | null) {
    this.#rig = rig
    this.#instanceId = instanceId
  }

  /** One turn; returns at once when an earlier request still waits. */
  async act(): Promise<void> {
    if (this.#busy || !this.alive) return
    this.#busy = true
    if (this.assignment === undefined) await this.#enter()
    else await this.#beat()
    this.#busy = false
  }

  async #enter(): Promise<void> {
    const identity = { memberId: this.memberId, groupInstanceId: this.#instanceId }
    const joined = await this.#rig.join(identity)
    if (joined.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
      this.memberId = joined.memberId
      return this.#enter()
    }
    if (!this.#accept(joined.errorCode)) return
    this.memberId = joined.memberId
    this.generation = joined.generationId
    const assignments = joined.members.map(({ memberId }) => ({
      memberId,
      assignment: bytesOf(`${joined.generationId} ${memberId}`),
    }))
    const synced = await this.#rig.sync({
      generationId: this.generation,
      memberId: this.memberId,
      groupInstanceId: this.#instanceId,
      assignments: joined.skipAssignment ? [] : assignments,
    })
    if (this.#accept(synced.errorCode)) this.assignment = textOf(synced.assignment)
  }

  async #beat(): Promise<void> {
    const { generation: generationId, memberId } = this
    const groupInstanceId = this.#instanceId
    this.#accept(await this.#rig.heartbeat({ generationId, memberId, groupInstanceId }))
  }

  #accept(errorCode: number): boolean {
    if (errorCode === ErrorCode.NONE) return true
    this.assignment = undefined
    if (errorCode === ErrorCode.UNKNOWN_MEMBER_ID) this.memberId = ''
    if (errorCode === ErrorCode.FENCED_INSTANCE_ID) this.alive = false
    return false
  }

  get isStatic(): boolean {
    return this.#instanceId !== null
  }

  async leave(): Promise<void> {
    this.alive = false
    await this.#rig.leave({
      members: [{ memberId: this.memberId, groupInstanceId: this.#instanceId }],
    })
  }
}

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('join' as const),
      instance: fc.option(fc.constantFrom('a', 'b'), { freq: 2 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('die' as const), who: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave' as const), who: fc.nat() }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      ms: fc.constantFrom(100, 1_000, 4_000, 9_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('coordinator' as const), truncate: fc.boolean() }),
  },
)

async function pass(rig: GroupRig, clients: readonly Client[], ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 3_000) {
    for (const client of clients) void client.act()
    await rig.time.advance(Math.min(left, 3_000))
  }
}

/** Six minutes are longer than every timeout; stops once the group shows exactly those who live, for a while. */
async function settle(rig: GroupRig, clients: readonly Client[]): Promise<void> {
  for (let quarters = 0; quarters < 24; quarters++) {
    await pass(rig, clients, 15_000)
    const { groupState, members } = await rig.describe()
    const living = clients.filter(({ alive }) => alive)
    const settled = living.every(({ assignment }) => assignment !== undefined)
    if (groupState !== 'PreparingRebalance' && settled && members.length === living.length) return
  }
}

test('a group converges', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const rig = new GroupRig()
      const clients: Client[] = []
      for (const one of steps) {
        const living = clients.filter(({ alive }) => alive)
        if (one.kind === 'join' && living.length < 6) clients.push(new Client(rig, one.instance))
        else if (one.kind === 'die' && living.length > 0)
          living[one.who % living.length]!.alive = false
        else if (one.kind === 'leave' && living.length > 0)
          void living[one.who % living.length]!.leave()
        else if (one.kind === 'pass') await pass(rig, clients, one.ms)
        else if (one.kind === 'coordinator') {
          rig.log.loseLeadership()
          if (one.truncate)
            rig.log.truncate({ epoch: rig.log.epochs.last, offset: rig.log.highWatermark })
          rig.log.lead()
          await rig.time.settle()
        }
        for (const client of clients) void client.act()
        await rig.time.settle()
      }
      await settle(rig, clients)

      const living = clients.filter(({ alive }) => alive)
      const described = await rig.describe()
      assert.equal(described.groupState, living.length > 0 ? 'Stable' : described.groupState)
      if (living.length === 0) assert.deepEqual(described.members, [])
      const members = described.members.map(({ memberId }) => memberId).toSorted()
      assert.deepEqual(members, living.map(({ memberId }) => memberId).toSorted())
      const generations = new Set(living.map(({ generation }) => generation))
      assert.ok(generations.size <= 1, `generations ${[...generations].join(' ')}`)
      for (const { memberId, assignment, isStatic } of living) {
        // A static member that came back keeps what was assigned to its earlier id.
        if (!isStatic) assert.equal(assignment?.replace(/^\d+ /, ''), memberId)
        const own = described.members.find((member) => member.memberId === memberId)
        assert.equal(assignment, textOf(own!.memberAssignment))
        assert.match(assignment ?? '', /^\d+ ./)
      }
    }),
    { numRuns: 40 },
  )
})
