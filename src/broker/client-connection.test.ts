// What a connection does with peers that are hostile, slow or many.

import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { APIS } from '../protocol/apis.ts'
import { encodeRequest } from '../protocol/requests.ts'
import { batchOf, fetchRequest, produce, produceRequest } from './testing/requests.ts'
import type { RawClient } from './testing/raw-client.ts'
import { openRig, type RigOptions } from './testing/rig.ts'

async function rigFor(t: TestContext, options: RigOptions = {}) {
  const rig = await openRig(options)
  t.after(() => rig.close())
  return rig
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const versions = (client: RawClient) =>
  client.send(APIS.ApiVersions, 0, { clientSoftwareName: '', clientSoftwareVersion: '' })

function framed(body: Uint8Array): Uint8Array {
  const size = Buffer.alloc(4)
  size.writeInt32BE(body.length)
  return Buffer.concat([size, body])
}

/** The first 100 KB of a Produce request with so many bytes of records, and the size of its frame. */
function beginningOf(recordBytes: number): { start: Buffer; bytes: number } {
  const body = produceRequest('topic', new Uint8Array(recordBytes))
  const chunks = encodeRequest(APIS.Produce, 9, { correlationId: 1, clientId: 'c' }, body)
  const start = Buffer.concat(chunks, 100_000)
  return { start, bytes: start.readInt32BE(0) }
}

test('malformed bytes close their connection with one line, and no other', async (t) => {
  const rig = await rigFor(t)
  const good = await rig.connect()
  await rig.createTopic('topic')
  const request = (apiKey: number, version: number, body = '') =>
    framed(
      Buffer.from(
        `${apiKey.toString(16).padStart(4, '0')}${version.toString(16).padStart(4, '0')}00000001ffff${body}`,
        'hex',
      ),
    )
  const hostile: Uint8Array[] = [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.from([0xff, 0xff, 0xff, 0xff, 0]),
    framed(Buffer.alloc(3)),
    framed(Buffer.alloc(0)),
    request(0, 2),
    request(0, 14),
    request(1, 3),
    request(999, 0),
    request(52, 0),
    request(3, 1, '7fffffff'),
    request(19, 2, 'ffffffff'),
  ]
  for (const bytes of hostile) {
    const client = await rig.connect()
    client.write(bytes)
    await client.closed
    assert.equal((await versions(good)).errorCode, 0)
  }
  const lines = rig.log.lines.filter(({ level }) => level === 'warn')
  assert.ok(lines.length >= 1 && lines.length <= 3, `${lines.length} lines`)
  assert.equal(rig.log.lines.length, lines.length)
  assert.equal((await produce(good, 'topic', batchOf(['a']))).errorCode, 0)
})

test('what would be refused is refused before it has come', async (t) => {
  const rig = await rigFor(t)
  const head = (announced: number, apiKey: number, version: number): Buffer => {
    const bytes = Buffer.alloc(8)
    bytes.writeInt32BE(announced)
    bytes.writeInt16BE(apiKey, 4)
    bytes.writeInt16BE(version, 6)
    return bytes
  }
  const { Produce, Metadata, ApiVersions } = APIS
  const refused = [
    head(100_000_000, 999, 0),
    head(100_000_000, Produce.key, 2),
    head(1_000, Produce.key, 99),
    head(8 * 1024 * 1024 + 1, Metadata.key, 12),
    head(8 * 1024 * 1024 + 1, ApiVersions.key, 99),
  ]
  for (const bytes of refused) {
    const client = await rig.connect()
    client.write(bytes)
    await client.closed
  }
  const open = [
    head(100_000_000, Produce.key, 9),
    head(8 * 1024 * 1024, Metadata.key, 12),
    head(1_000, ApiVersions.key, 99),
  ]
  const clients = await Promise.all(open.map(() => rig.connect()))
  clients.forEach((client, i) => client.write(open[i]!))
  const closed = Promise.race(clients.map((client) => client.closed.then(() => 'closed')))
  assert.equal(await Promise.race([closed, pause(50).then(() => 'open')]), 'open')
})

test('a large frame is counted only where it begins as a request', async (t) => {
  const rig = await rigFor(t)
  const { start, bytes } = beginningOf(500_000)
  const honest = await rig.connect()
  honest.write(start)
  const spoilt: Uint8Array[] = [8, 12, 16].map((from) => {
    const copy = Buffer.from(start)
    return copy.fill(0xfe, from)
  })
  for (const hostile of spoilt) {
    const client = await rig.connect()
    client.write(hostile)
    await client.closed
  }
  for (let i = 0; i < 50; i++) await turn()
  assert.equal(rig.broker.stats().requestBytes, bytes)
})

test('what was asked before the malformed bytes is not answered after them', async (t) => {
  const rig = await rigFor(t)
  await rig.createTopic('topic')
  const log = rig.host.get(rig.broker.partitions.get('topic', 0)!.log.id)!
  log.autoCommit = false
  const client = await rig.connect()
  const waiting = produce(client, 'topic', batchOf(['a']))
  client.write(Buffer.from([0x80, 0, 0, 0]))
  await assert.rejects(waiting)
  log.commit()
  assert.equal(rig.broker.stats().requestBytes, 0)
})

test('bytes of requests in work are bounded: the sender waits, and nothing is lost', async (t) => {
  const rig = await rigFor(t, { configs: { 'chronik.inflight.bytes.max': '100000' } })
  await rig.createTopic('topic')
  const log = rig.host.get(rig.broker.partitions.get('topic', 0)!.log.id)!
  log.autoCommit = false
  const clients = await Promise.all([rig.connect(), rig.connect()])
  const value = 'x'.repeat(10_000)
  const answers = clients.flatMap((client) =>
    Array.from({ length: 30 }, () => produce(client, 'topic', batchOf([value]))),
  )
  for (let i = 0; i < 50; i++) await turn()
  const taken = log.logEnd.offset
  assert.ok(taken >= 10 && taken <= 12, `${taken} batches were taken`)
  assert.ok(rig.broker.stats().requestBytes < 120_000)
  log.autoCommit = true
  log.commit()
  const offsets = (await Promise.all(answers)).map(({ baseOffset }) => baseOffset)
  assert.equal(new Set(offsets).size, 60)
  assert.equal(rig.broker.stats().requestBytes, 0)
})

test('requests in flight are bounded per connection', async (t) => {
  const rig = await rigFor(t, { configs: { 'queued.max.requests': '3' } })
  await rig.createTopic('topic')
  const log = rig.host.get(rig.broker.partitions.get('topic', 0)!.log.id)!
  log.autoCommit = false
  const client = await rig.connect()
  const answers = Array.from({ length: 8 }, () => produce(client, 'topic', batchOf(['a'])))
  for (let i = 0; i < 50; i++) await turn()
  assert.equal(log.logEnd.offset, 3)
  log.autoCommit = true
  log.commit()
  assert.deepEqual(
    (await Promise.all(answers)).map(({ baseOffset }) => baseOffset),
    [0, 1, 2, 3, 4, 5, 6, 7],
  )
})

test('a peer that does not read is not read from', async (t) => {
  const rig = await rigFor(t)
  await rig.createTopic('topic')
  const client = await rig.connect()
  await produce(client, 'topic', batchOf(['x'.repeat(900_000)]))
  const log = rig.host.get(rig.broker.partitions.get('topic', 0)!.log.id)!
  let reads = 0
  const read = log.read.bind(log)
  log.read = (request) => {
    reads++
    return read(request)
  }
  client.pause()
  const answers = Array.from({ length: 60 }, () =>
    client.send(APIS.Fetch, 11, fetchRequest('topic', 0)),
  )
  await pause(100)
  // Some answers fit the buffers of the two kernels, which take a few MB.
  assert.ok(reads < 20, `${reads} of 60 requests were worked on`)
  client.resume()
  for (const { responses } of await Promise.all(answers)) {
    assert.equal(responses[0]?.partitions[0]?.records?.length, log.bytes)
  }
  assert.equal(reads, 60)
})

test('connections are bounded, and idle ones are closed', async (t) => {
  const rig = await rigFor(t, {
    configs: { 'max.connections': '3', 'connections.max.idle.ms': '200' },
  })
  const first = await rig.connect()
  const others = [await rig.connect(), await rig.connect()]
  assert.equal((await versions(first)).errorCode, 0)
  const refused = await rig.connect()
  await refused.closed
  assert.equal(rig.broker.stats().connections, 3)
  others[0]!.close()
  while (rig.broker.stats().connections > 2) await turn()
  const accepted = await rig.connect()
  assert.equal((await versions(accepted)).errorCode, 0)
  await Promise.all([first.closed, others[1]!.closed, accepted.closed])
  while (rig.broker.stats().connections > 0) await turn()
})

test('connections of one address are bounded', async (t) => {
  const rig = await rigFor(t, { configs: { 'max.connections.per.ip': '1' } })
  const first = await rig.connect()
  assert.equal((await versions(first)).errorCode, 0)
  const second = await rig.connect()
  await second.closed
  assert.equal((await versions(first)).errorCode, 0)
})

test('a connection with a request in work is not idle', async (t) => {
  const rig = await rigFor(t, { configs: { 'connections.max.idle.ms': '60' } })
  await rig.createTopic('topic')
  const client = await rig.connect()
  const request = fetchRequest('topic', 0, { maxWaitMs: 250 })
  const answer = await client.send(APIS.Fetch, 11, request)
  assert.equal(answer.responses.length, 1)
  await client.closed
})

test('half a frame costs little, and its other half completes it', async (t) => {
  const rig = await rigFor(t)
  await rig.createTopic('topic')
  const header = { correlationId: 1, clientId: 'half' }
  const request = produceRequest('topic', batchOf(['y'.repeat(500_000)]))
  const frame = Buffer.concat(encodeRequest(APIS.Produce, 9, header, request))
  const clients = await Promise.all(Array.from({ length: 40 }, () => rig.connect()))
  for (const client of clients) client.write(frame.subarray(0, 1000))
  await pause(20)
  assert.equal(rig.broker.stats().requestBytes, 0)
  const answers = clients.slice(0, 5).map((client) => {
    client.write(frame.subarray(1000))
    return client.nextFrame(1)
  })
  assert.equal((await Promise.all(answers)).length, 5)
  assert.equal(rig.broker.partitions.get('topic', 0)!.log.logEnd.offset, 5)
})

test('a request that fails unexpectedly is told and logged, and the connection goes on', async (t) => {
  const rig = await rigFor(t, {
    groups: { heartbeat: () => Promise.reject(new TypeError('a bug')) },
  })
  const client = await rig.connect()
  const beat = { groupId: 'g', generationId: 1, memberId: 'm' }
  assert.equal((await client.send(APIS.Heartbeat, 4, beat)).errorCode, -1)
  assert.equal((await versions(client)).errorCode, 0)
  const [line] = rig.log.lines
  assert.equal(line?.message, 'a request failed unexpectedly')
  assert.match(String(line?.fields.error), /TypeError: a bug\n +at /)
})

test('large requests are counted while they arrive, and wait for each other', async (t) => {
  const rig = await rigFor(t, { configs: { 'chronik.inflight.bytes.max': '1000000' } })
  await rig.createTopic('topic')
  const header = { correlationId: 1, clientId: 'large' }
  const request = produceRequest('topic', batchOf(['y'.repeat(600_000)]))
  const frame = Buffer.concat(encodeRequest(APIS.Produce, 9, header, request))
  const clients = await Promise.all(Array.from({ length: 6 }, () => rig.connect()))
  for (const client of clients) client.write(frame.subarray(0, 300_000))
  await pause(30)
  // Two are let in; the second crosses the bound.
  assert.equal(rig.broker.stats().requestBytes, 2 * (frame.length - 4))
  const answers = clients.map((client) => {
    client.write(frame.subarray(300_000))
    return client.nextFrame(1)
  })
  await Promise.all(answers)
  assert.equal(rig.broker.stats().requestBytes, 0)
  assert.equal(rig.broker.partitions.get('topic', 0)!.log.logEnd.offset, 6)
})

test('who holds room with a large request that never comes gives it up when it closes', async (t) => {
  const rig = await rigFor(t, { configs: { 'chronik.inflight.bytes.max': '1000000' } })
  await rig.createTopic('topic')
  const holder = await rig.connect()
  const { start, bytes } = beginningOf(90_000_000)
  holder.write(start)
  while (rig.broker.stats().requestBytes === 0) await turn()
  assert.equal(rig.broker.stats().requestBytes, bytes)
  const client = await rig.connect()
  let answered = false
  const waiting = produce(client, 'topic', batchOf(['a'])).finally(() => (answered = true))
  await pause(20)
  assert.equal(answered, false)
  holder.close()
  assert.equal((await waiting).errorCode, 0)
  assert.equal(rig.broker.stats().requestBytes, 0)
})

test('huge requests share a part of the room, however slowly they come; common ones find room beside them', async (t) => {
  const rig = await rigFor(t)
  await rig.createTopic('topic')
  const { start, bytes } = beginningOf(90_000_000)
  const holders = [await rig.connect(), await rig.connect(), await rig.connect()]
  for (const holder of holders) holder.write(start)
  while (rig.broker.stats().requestBytes === 0) await turn()
  await pause(20)
  assert.equal(rig.broker.stats().requestBytes, bytes, 'the others wait')
  const client = await rig.connect()
  assert.equal((await produce(client, 'topic', batchOf(['a']))).errorCode, 0)
  for (const holder of holders) {
    assert.equal(rig.broker.stats().requestBytes, bytes)
    holder.close()
    await pause(20)
  }
  assert.equal(rig.broker.stats().requestBytes, 0)
})

test('a request of nearly a hundred megabytes is served where the topic allows it', async (t) => {
  const rig = await rigFor(t)
  await rig.createTopic('topic', { configs: { 'max.message.bytes': '100000000' } })
  const client = await rig.connect()
  const batch = batchOf(['x'.repeat(95_000_000)])
  assert.equal((await produce(client, 'topic', batch)).errorCode, 0)
  const { log } = rig.broker.partitions.get('topic', 0)!
  assert.equal(log.logEnd.offset, 1)
  assert.equal(log.bytes, batch.length)
  assert.equal(rig.broker.stats().requestBytes, 0)
})

test('closing the broker answers what is in work, and ends long polls with what there is', async (t) => {
  const rig = await rigFor(t)
  await rig.createTopic('topic')
  const log = rig.host.get(rig.broker.partitions.get('topic', 0)!.log.id)!
  const [writer, reader] = [await rig.connect(), await rig.connect()]
  const polled = reader.send(APIS.Fetch, 11, fetchRequest('topic', 0, { maxWaitMs: 60_000 }))
  while (rig.broker.stats().waiting === 0) await turn()
  log.autoCommit = false
  const written = produce(writer, 'topic', batchOf(['a']))
  while (log.logEnd.offset === 0) await turn()
  const closed = rig.broker.close()
  assert.equal((await polled).responses[0]?.partitions[0]?.errorCode, 0)
  log.commit()
  assert.equal((await written).errorCode, 0)
  await Promise.all([closed, writer.closed, reader.closed])
})
