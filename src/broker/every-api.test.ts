// Random requests of every API in every version that is advertised: each is answered with something that decodes, and none
// fails unexpectedly. The group APIs go to a double that always fails, so their answers to an unexpected failure are seen too.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { API_VERSIONS_KEY } from '../protocol/api-keys.ts'
import { APIS } from '../protocol/apis.ts'
import type { AnyApi } from '../protocol/message.ts'
import { decodeResponse, encodeRequest } from '../protocol/requests.ts'
import { generate, type Values } from '../protocol/testing/generate.ts'
import { seeded, type Random } from '../protocol/testing/random.ts'
import { openRig } from './testing/rig.ts'

const REQUESTS_PER_VERSION = 6
const SIZE = { arrayMin: 0, arrayMax: 3, bytesMax: 40, long: false }
/** Refused, although advertised: see the Produce handler. */
const PRODUCE_VERSION_MIN = 3

/** Puts names and ids that exist in the place of some, so that not every request is refused for its topic. */
function withRealNames(
  value: unknown,
  random: Random,
  real: { name: string; id: string },
): unknown {
  if (Array.isArray(value)) return value.map((item) => withRealNames(item, random, real))
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value
  const out: Values = {}
  for (const [key, item] of Object.entries(value)) {
    const often = random() < 0.7
    if (often && ['name', 'topic', 'topicName', 'resourceName'].includes(key)) out[key] = real.name
    else if (often && key === 'topicId') out[key] = real.id
    else if (often && /partition$|partitionIndex|^index$/i.test(key) && typeof item === 'number') {
      out[key] = 0
    } else out[key] = withRealNames(item, random, real)
  }
  return out
}

/** What would make the broker wait, answer nothing, or work for long, and is tested elsewhere. */
function tamed(api: AnyApi, request: Values): Values {
  if (api === APIS.Produce) return { ...request, acks: -1, timeoutMs: 100 }
  if (api === APIS.Fetch) return { ...request, maxWaitMs: 0 }
  if (api === APIS.ApiVersions) return { ...request, clientSoftwareName: 'a' }
  return request
}

test('every API answers random requests of every version', async (t) => {
  const rig = await openRig({
    configs: { 'chronik.partitions.max': '100', 'chronik.topics.max': '50' },
    groups: {
      findCoordinator: () => Promise.resolve({ errorCode: 15, errorMessage: null, partition: -1 }),
    },
  })
  t.after(() => rig.close())
  const client = await rig.connect()
  const random = seeded(1)
  let answers = 0
  for (const api of Object.values(APIS) as readonly AnyApi[]) {
    const first = api === APIS.Produce ? PRODUCE_VERSION_MIN : api.minVersion
    for (let version = first; version <= api.maxVersion; version++) {
      for (let i = 0; i < REQUESTS_PER_VERSION; i++) {
        if (!rig.controller.image.topics.has('real')) await rig.createTopic('real')
        const { name, id } = rig.controller.image.topics.get('real')!
        const generated = generate(api.request, version, random, SIZE) as Values
        const named = withRealNames(generated, random, { name, id }) as Values
        const correlationId = 1000 + answers
        const header = { correlationId, clientId: 'random' }
        const frame = encodeRequest(api, version, header, tamed(api, named))
        client.write(Buffer.concat(frame))
        const answer = await client.nextFrame(correlationId)
        assert.equal(decodeResponse(api, version, answer).correlationId, correlationId)
        answers++
      }
    }
  }
  assert.ok(answers > 150 * REQUESTS_PER_VERSION)
  const unexpected = rig.log.lines.filter(
    ({ level, fields }) => level === 'error' && !String(fields.error).includes('not expected here'),
  )
  assert.deepEqual(unexpected, [])
  assert.equal(rig.broker.stats().requestBytes, 0)
  assert.equal(API_VERSIONS_KEY, APIS.ApiVersions.key)
})

test('where handling a request fails, it is told so in every version', async (t) => {
  let failing = false
  const rig = await openRig({
    wrapController: (controller) =>
      new Proxy(controller, {
        get(target, property) {
          if (failing) {
            failing = false
            throw new Error('injected')
          }
          const value: unknown = Reflect.get(target, property, target)
          return typeof value === 'function' ? value.bind(target) : value
        },
      }),
  })
  t.after(() => rig.close())
  const client = await rig.connect()
  const random = seeded(2)
  const failed = new Set<string>()
  let correlationId = 0
  for (const api of Object.values(APIS) as readonly AnyApi[]) {
    const first = api === APIS.Produce ? PRODUCE_VERSION_MIN : api.minVersion
    for (let version = first; version <= api.maxVersion; version++) {
      for (let i = 0; i < 3; i++) {
        const request = tamed(
          api,
          generate(api.request, version, random, { ...SIZE, arrayMin: 1 }) as Values,
        )
        failing = true
        const header = { correlationId: ++correlationId, clientId: 'random' }
        client.write(Buffer.concat(encodeRequest(api, version, header, request)))
        const answer = await client.nextFrame(correlationId)
        decodeResponse(api, version, answer)
        if (!failing) failed.add(`${api.name} ${version}`)
      }
    }
  }
  const lines = rig.log.lines.filter(({ fields }) => String(fields.error).includes('injected'))
  assert.ok(lines.length > 0)
  assert.ok(failed.size > 70, `${failed.size} versions were seen to fail`)
})
