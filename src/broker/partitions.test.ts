// The partitions of a node follow the metadata: opened, tried again, configured, dropped; topics by id.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asNodeId } from '../base/brand.ts'
import { openController, portsOf, silent } from '../controller/testing/controller-double.ts'
import { logIdOf, OFFSETS_TOPIC } from '../controller/metadata-image.ts'
import type { LogSpec } from '../replicated/replicated-log.ts'
import { LogHostDouble, type ReplicatedLogDouble } from '../replicated/testing/double.ts'
import { StoreError } from '../storage/store.ts'
import { Partitions } from './partitions.ts'

/** Opens when the test says so. */
class SlowHost extends LogHostDouble {
  failures = 0
  slow = false
  readonly dropped: string[] = []
  #waiting: (() => void)[] = []

  override async open(spec: LogSpec): Promise<ReplicatedLogDouble> {
    if (this.slow) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    if (this.failures > 0) {
      this.failures--
      throw new StoreError('storage-full', 'no room')
    }
    return super.open(spec)
  }

  release(): void {
    this.slow = false
    for (const resolve of this.#waiting) resolve()
  }

  override drop(id: Parameters<LogHostDouble['drop']>[0]): Promise<void> {
    this.dropped.push(id)
    return super.drop(id)
  }
}

async function setUp() {
  const { controller, time } = await openController()
  const host = new SlowHost()
  const groupEvents: string[] = []
  const partitions = new Partitions({
    env: { ...portsOf(time), log: silent },
    nodeId: asNodeId(1),
    host,
    metadata: controller,
    groups: {
      addPartition: (index) => groupEvents.push(`add ${index}`),
      removePartition: (index) => groupEvents.push(`remove ${index}`),
      onTopicsDeleted: (topics) =>
        groupEvents.push(`deleted ${topics.map(({ name }) => name).join()}`),
    },
  })
  const create = async (name: string, count = 1) => {
    const done = controller.createTopics([
      { name, numPartitions: count, replicationFactor: 1, assignments: [], configs: [] },
    ])
    await time.settle()
    assert.equal((await done)[0]?.errorCode, 0)
    return controller.image.topics.get(name)!
  }
  const remove = async (name: string) => {
    const done = controller.deleteTopics([{ name }])
    await time.settle()
    assert.equal((await done)[0]?.errorCode, 0)
  }
  return { controller, time, host, partitions, groupEvents, create, remove }
}

test('what was there before the start and what comes after it is opened', async () => {
  const { partitions, create, host } = await setUp()
  const before = await create('before', 2)
  await partitions.start()
  assert.ok(partitions.get('before', 1) !== undefined)
  assert.equal(partitions.get('before', 2), undefined)
  const after = await create('after')
  await partitions.whenOpen(['after'])
  assert.equal(partitions.getById(after.id, 0)?.topic, 'after')
  assert.equal([...partitions.all()].length, 3)
  const [spec] = host.specs
  assert.equal(spec?.directory, 'before-0')
  assert.equal(spec?.id, logIdOf(before, 0))
})

test('an open that fails is tried again', async () => {
  const { partitions, create, host, time } = await setUp()
  await partitions.start()
  host.failures = 2
  await create('late')
  await partitions.whenOpen(['late'])
  assert.equal(partitions.get('late', 0), undefined)
  await time.advance(1000)
  assert.equal(partitions.get('late', 0), undefined)
  await time.advance(1000)
  assert.ok(partitions.get('late', 0) !== undefined)
})

test('a topic that is deleted while its log opens is dropped once it is open', async () => {
  const { partitions, create, remove, host, time } = await setUp()
  await partitions.start()
  host.slow = true
  const old = await create('again')
  await remove('again')
  assert.deepEqual(host.dropped, [])
  host.release()
  const recent = await create('again')
  await partitions.whenOpen(['again'])
  await time.settle()
  assert.deepEqual(host.dropped, [logIdOf(old, 0)])
  assert.equal(partitions.getById(old.id, 0), undefined)
  assert.equal(partitions.get('again', 0)?.topicId, recent.id)
})

test('configs reach the partition and its log', async () => {
  const { partitions, create, host, controller, time } = await setUp()
  await partitions.start()
  const topic = await create('config')
  await partitions.whenOpen(['config'])
  const altered = controller.incrementalAlterConfigs([
    {
      resourceType: 2,
      resourceName: 'config',
      configs: [{ name: 'segment.bytes', configOperation: 0, value: '1000000' }],
    },
  ])
  await time.settle()
  assert.equal((await altered)[0]?.errorCode, 0)
  assert.equal(partitions.get('config', 0)?.config['segment.bytes'], 1_000_000)
  assert.equal(host.configured.get(logIdOf(topic, 0))?.segmentBytes, 1_000_000)
})

test('the group coordinator hears of its partitions and of deleted topics', async () => {
  const { partitions, create, remove, groupEvents, controller, time } = await setUp()
  await partitions.start()
  const created = controller.autoCreateTopics([OFFSETS_TOPIC])
  await time.settle()
  assert.equal((await created)[0]?.errorCode, 0)
  await partitions.whenOpen([OFFSETS_TOPIC])
  assert.equal(groupEvents.length, 50)
  assert.equal(groupEvents[49], 'add 49')
  await create('gone')
  await remove('gone')
  assert.equal(groupEvents.at(-1), 'deleted gone')
})
