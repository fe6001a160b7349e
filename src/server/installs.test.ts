// A replica that deletion passed by is installed with what its state machine must know of the records that are gone (law R10).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchOf, produce } from '../broker/testing/requests.ts'
import { APIS } from '../protocol/apis.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { SimCluster } from './testing/sim-cluster.ts'

/** Node 3 leads whenever it can. */
const ALL = [[3, 1, 2]]
const PRODUCER_ID = 4711

async function deleteBelow(cluster: SimCluster, node: number, offset: number): Promise<number> {
  const client = await cluster.connect(node)
  const answer = await cluster.settle(
    client.send(APIS.DeleteRecords, 2, {
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, offset }] }],
      timeoutMs: 5_000,
    }),
  )
  client.close()
  const [partition] = answer.topics[0]!.partitions
  assert.equal(partition?.errorCode, ErrorCode.NONE)
  return partition.lowWatermark
}

const TOPIC_SNAPSHOT = /\/t-0\..*\/\d+-\d+\.snapshot$/
const METADATA_SNAPSHOT = /\/__cluster_metadata-0\..*\/(\d+)-\d+\.snapshot$/

function snapshotsOf(cluster: SimCluster, node: number, which: RegExp) {
  return cluster
    .host(node)
    .files.files()
    .filter(({ path }) => which.test(path))
}

/** Every one of them that the node has. */
function harmSnapshots(cluster: SimCluster, node: number, which = TOPIC_SNAPSHOT): void {
  const snapshots = snapshotsOf(cluster, node, which)
  assert.ok(snapshots.length > 0)
  for (const { file } of snapshots) file.flipBit(file.bytes - 1, 0)
}

const batch = (sequence: number): Uint8Array =>
  batchOf([`of ${sequence}`], {
    producer: { producerId: PRODUCER_ID, producerEpoch: 0, baseSequence: sequence },
  })

async function send(cluster: SimCluster, node: number, sequence: number): Promise<number> {
  const client = await cluster.connect(node)
  const answer = await cluster.settle(produce(client, 't', batch(sequence)))
  client.close()
  assert.equal(answer.errorCode, ErrorCode.NONE)
  return answer.baseOffset
}

/** Node 3 is away while the sequences are written and those below `to` deleted; returns who led meanwhile. */
async function passBy(cluster: SimCluster, sequences: number, to: number): Promise<number> {
  cluster.kill(3)
  await cluster.until('another leads', () => (cluster.leaderOf('t') ?? 3) !== 3)
  const leader = cluster.leaderOf('t')!
  for (let i = 0; i < sequences; i++) assert.equal(await send(cluster, leader, i), i)
  assert.equal(await deleteBelow(cluster, leader, to), to)
  return leader
}

async function comesBack(cluster: SimCluster): Promise<void> {
  await cluster.boot(3)
  await cluster.until('it leads', () => cluster.leaderOf('t') === 3)
}

test('a retry of what was deleted is known to a replica that was away when it was written and deleted', async () => {
  const cluster = await SimCluster.start()
  await cluster.create('t', { assignments: ALL })
  await passBy(cluster, 2, 2)
  await comesBack(cluster)
  assert.equal(await send(cluster, 3, 1), 1)
  assert.equal(await send(cluster, 3, 0), 0)
  assert.equal(await send(cluster, 3, 2), 2)
  // Not even after the power went everywhere.
  for (const id of cluster.ids) cluster.host(id).powerCut('lose')
  await cluster.boot(...cluster.ids)
  await cluster.until('it is led', () => cluster.leaderOf('t') !== undefined)
  const leader = cluster.leaderOf('t')!
  assert.equal(await send(cluster, leader, 1), 1)
  assert.equal(await send(cluster, leader, 2), 2)
})

test('a snapshot that is further than the log start waits for the log, and comes to count through crashes', async () => {
  const cluster = await SimCluster.start()
  await cluster.create('t', { assignments: ALL })
  await passBy(cluster, 4, 1)
  const slow = cluster.host(3)
  await comesBack(cluster)
  slow.powerCut('lose')
  await comesBack(cluster)
  for (const sequence of [0, 1, 2, 3]) assert.equal(await send(cluster, 3, sequence), sequence)
  assert.equal(await send(cluster, 3, 4), 4)
})

test("a damaged snapshot is replaced by the leader's, and who has lost it does not lead before", async () => {
  const cluster = await SimCluster.start()
  await cluster.create('t', { assignments: ALL })
  await cluster.until('it is led', () => cluster.leaderOf('t') === 3)
  for (const sequence of [0, 1]) assert.equal(await send(cluster, 3, sequence), sequence)
  assert.equal(await deleteBelow(cluster, 3, 2), 2)
  cluster.kill(3)
  await cluster.until('another leads', () => (cluster.leaderOf('t') ?? 3) !== 3)
  harmSnapshots(cluster, 3)
  await comesBack(cluster)
  assert.equal(await send(cluster, 3, 1), 1)
  assert.equal(await send(cluster, 3, 2), 2)
})

test('a leader whose snapshot on disk is damaged writes another before it installs anyone', async () => {
  const cluster = await SimCluster.start()
  await cluster.create('t', { assignments: ALL })
  const leader = await passBy(cluster, 2, 2)
  harmSnapshots(cluster, leader)
  await comesBack(cluster)
  assert.equal(await send(cluster, 3, 1), 1)
  assert.equal(await send(cluster, 3, 2), 2)
})

/** Offsets of the node's snapshots of the metadata, ascending. */
const metadataSnapshots = (cluster: SimCluster, node: number): number[] =>
  snapshotsOf(cluster, node, METADATA_SNAPSHOT)
    .map(({ path }) => Number(METADATA_SNAPSHOT.exec(path)?.[1]))
    .toSorted((a, b) => a - b)

async function setRetention(cluster: SimCluster, node: number, ms: number): Promise<void> {
  const client = await cluster.connect(node)
  const answer = await cluster.settle(
    client.send(APIS.AlterConfigs, 2, {
      resources: [
        {
          resourceType: 2,
          resourceName: 't',
          configs: [{ name: 'retention.ms', value: String(ms) }],
        },
      ],
      validateOnly: false,
    }),
  )
  client.close()
  assert.equal(answer.responses[0]?.errorCode, ErrorCode.NONE)
}

async function retentionOn(cluster: SimCluster, node: number): Promise<string | null> {
  const client = await cluster.connect(node)
  const answer = await cluster.settle(
    client.send(APIS.DescribeConfigs, 4, {
      resources: [{ resourceType: 2, resourceName: 't', configurationKeys: ['retention.ms'] }],
      includeSynonyms: false,
      includeDocumentation: false,
    }),
  )
  client.close()
  return answer.results[0]?.configs[0]?.value ?? null
}

test("the metadata log is kept from the older of two snapshots on; who was away begins with the leader's", async () => {
  const config = { 'chronik.metadata.snapshot.records': '5' }
  const cluster = await SimCluster.start({ config })
  await cluster.create('t', { assignments: ALL })
  cluster.kill(3)
  for (let ms = 1; ms <= 40; ms++) await setRetention(cluster, 1, 1_000_000 + ms)
  const [older] = metadataSnapshots(cluster, 1)
  assert.equal(metadataSnapshots(cluster, 1).length, 2)
  assert.ok(older! > Math.max(0, ...metadataSnapshots(cluster, 3)) + 10)
  await cluster.boot(3)
  assert.equal(await retentionOn(cluster, 3), '1000040')
  assert.ok(metadataSnapshots(cluster, 3).at(-1)! >= older!)
  // Each start begins with the newest that checks; without one, with the leader's.
  for (const id of cluster.ids) cluster.host(id).powerCut('lose')
  harmSnapshots(cluster, 3, METADATA_SNAPSHOT)
  await cluster.boot(...cluster.ids)
  await cluster.create('u', { assignments: ALL })
  for (const id of cluster.ids) assert.equal(await retentionOn(cluster, id), '1000040')
})
