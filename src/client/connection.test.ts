// One connection in the simulated world: pipelining, timeouts, ends, answers that can't be read.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Simulation } from '../env/sim/simulation.ts'
import { metadata } from '../protocol/messages/metadata.ts'
import { joinGroup } from '../protocol/messages/join-group.ts'
import { RequestError, type RequestFault } from './client-error.ts'
import { BrokerConnection, CONNECTION_DEFAULTS } from './connection.ts'
import { FakeBroker } from './testing/fake-broker.ts'

const ADDRESS = { host: 'broker', port: 9092 }
const ALL = (): { topics: null } => ({ topics: null })

async function connected(
  delayMs: () => number,
  inFlightMax = 100,
): Promise<{ simulation: Simulation; connection: BrokerConnection; broker: FakeBroker }> {
  const simulation = new Simulation(1)
  const env = simulation.host('broker').boot()
  const broker = new FakeBroker(env, { ...ADDRESS, topics: { t: 1 }, delayMs })
  await simulation.settle(broker.start())
  const options = { ...CONNECTION_DEFAULTS, requestTimeoutMs: 1000, inFlightMax }
  const opening = BrokerConnection.open(simulation.host('client').boot(), ADDRESS, options)
  return { simulation, connection: await simulation.settle(opening), broker }
}

function fault(promise: Promise<unknown>): Promise<RequestFault | 'none'> {
  return promise.then(
    () => 'none' as const,
    (error: unknown) => {
      assert(error instanceof RequestError)
      return error.fault
    },
  )
}

test('requests pipeline, and wait beyond the bound of what may be in flight', async () => {
  for (const inFlightMax of [100, 2]) {
    const { simulation, connection } = await connected(() => 1, inFlightMax)
    const answers = Array.from({ length: 20 }, () => connection.request(metadata, ALL))
    const all = await simulation.settle(Promise.all(answers))
    assert.ok(all.every((answer) => answer.topics[0]?.name === 't'))
  }
})

test('without an answer in time the connection ends: sent requests are lost, waiting ones were not sent', async () => {
  let slow = false
  const { simulation, connection } = await connected(() => (slow ? 5000 : 0), 2)
  slow = true
  const faults = [1, 2, 3].map(() => fault(connection.request(metadata, ALL)))
  assert.deepEqual(await simulation.settle(Promise.all(faults)), [
    'timed-out',
    'timed-out',
    'not-sent',
  ])
  assert.equal(connection.isClosed, true)
  assert.equal(await simulation.settle(fault(connection.request(metadata, ALL))), 'not-sent')
})

test('a connection that ends loses what is in flight, and says so once', async () => {
  const { simulation, connection } = await connected(() => 100)
  let ends = 0
  connection.onClosed(() => ends++)
  const lost = fault(connection.request(metadata, ALL))
  simulation.after(20, () => simulation.network.reset('client', 'broker'))
  assert.equal(await simulation.settle(lost), 'lost')
  connection.close()
  assert.equal(ends, 1)
})

test('an API that the broker does not have is refused before anything is sent', async () => {
  const { simulation, connection, broker } = await connected(() => 0)
  assert.equal(connection.versionOf(joinGroup), undefined)
  assert.equal(connection.versionOf(metadata, 5), 5)
  const body = {
    groupId: 'g',
    sessionTimeoutMs: 1,
    memberId: '',
    protocolType: 'consumer',
    protocols: [],
  }
  assert.equal(
    await simulation.settle(fault(connection.request(joinGroup, () => body))),
    'unsupported',
  )
  assert.equal(broker.requests.get(joinGroup.key), undefined)
})

test('nothing listens: not sent', async () => {
  const simulation = new Simulation(2)
  simulation.host('broker').boot()
  const env = simulation.host('client').boot()
  const opening = BrokerConnection.open(env, ADDRESS, CONNECTION_DEFAULTS)
  assert.equal(await simulation.settle(fault(opening)), 'not-sent')
})

test('a peer that is no broker is not waited for', async () => {
  const simulation = new Simulation(3)
  const broker = simulation.host('broker').boot()
  const listening = broker.network.listen(ADDRESS, (connection) => {
    const answer = new TextEncoder().encode('HTTP/1.1 400 Bad Request\r\n\r\n')
    connection.start({ onData: () => connection.write([answer]), onClose: () => undefined })
  })
  await simulation.settle(listening)
  const env = simulation.host('client').boot()
  const opening = BrokerConnection.open(env, ADDRESS, CONNECTION_DEFAULTS)
  await assert.rejects(simulation.settle(opening), /unreadable answer/)
})
