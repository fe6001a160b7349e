// Compares the codec with Kafka's own Java classes on random contents, both ways, for every message and version:
//
//   what we write for a value  = what Kafka writes for it, byte for byte
//   what we read from those bytes = the value = what Kafka reads from our bytes
//
//   node test/compat/codec/run.ts [--cases 50] [--seed 1] [--only ProduceRequest] [--write-fixtures]
//
// Needs Java 17 and Maven; Kafka's jars are kept under .cache/. `--write-fixtures` writes the golden vectors that
// `npm test` checks without Java.

import assert from 'node:assert/strict'
import { parseArgs } from 'node:util'
import { API_KEYS } from '../../../src/protocol/api-keys.ts'
import { APIS } from '../../../src/protocol/apis.ts'
import { KAFKA_ERRORS } from '../../../src/protocol/error-codes.ts'
import { join, type Message } from '../../../src/protocol/message.ts'
import { MESSAGES, versionsOf } from '../../../src/protocol/testing/catalogue.ts'
import { generate, type Size } from '../../../src/protocol/testing/generate.ts'
import {
  fromKafkaJson,
  toKafkaJson,
  withRecordSizes,
} from '../../../src/protocol/testing/kafka-json.ts'
import { seeded } from '../../../src/protocol/testing/random.ts'
import { writeFixtures, type Vector } from './fixtures.ts'
import { Oracle, type KafkaApi, type KafkaError } from './oracle.ts'

const LARGE: Size = { arrayMin: 0, arrayMax: 5, bytesMax: 40, long: true }
const SMALL: Size = { arrayMin: 1, arrayMax: 2, bytesMax: 12, long: false }
const VECTORS_PER_VERSION = 3

type AnyMessage = Message<unknown, unknown>

/** The version under which Kafka has the layout; undefined where it has none. */
function kafkaVersion(message: AnyMessage, version: number): number | undefined {
  // The int16 before the key of a coordinator record is its type; Kafka's schema of each type has one version, 0.
  if (message.name === 'OffsetCommitKey' || message.name === 'GroupMetadataKey') return 0
  // Removed in Kafka 4.0; advertised only to be refused.
  if (message.name.startsWith('Produce') && version < 3) return undefined
  return version
}

async function compareCase(
  oracle: Oracle,
  message: AnyMessage,
  version: number,
  value: unknown,
): Promise<Vector> {
  const ours = join(message.encode(value, version))
  const json = toKafkaJson(message.node, value, version)
  const kafka = kafkaVersion(message, version)
  if (kafka !== undefined) {
    const answer = await oracle.convert(message.name, kafka, json, ours)
    assert.equal(Buffer.from(ours).toString('hex'), answer.bytes.toString('hex'), 'bytes')
    const read = fromKafkaJson(message.node, answer.json, version)
    assert.deepEqual(read, withRecordSizes(message.node, value), 'what Kafka reads')
    assert.deepEqual(message.decode(answer.bytes, version), value, 'what we read')
  }
  return { version, bytes: ours, json }
}

async function compareMessage(
  oracle: Oracle,
  message: AnyMessage,
  options: { readonly cases: number; readonly seed: number; readonly size: Size },
): Promise<Vector[]> {
  const vectors: Promise<Vector>[] = []
  for (const version of versionsOf(message)) {
    for (let i = 0; i < options.cases; i++) {
      const seed = options.seed + i
      const value = generate(message, version, seeded(seed * 1000 + version), options.size)
      const compared = compareCase(oracle, message, version, value).catch((error: unknown) => {
        throw new Error(
          `${message.name} v${version} differs; --only ${message.name} --seed ${seed}`,
          {
            cause: error,
          },
        )
      })
      vectors.push(compared)
    }
    // Bounds what is in flight to one version of one message.
    await Promise.all(vectors)
  }
  return Promise.all(vectors)
}

/** Names, keys, versions and header versions of every API. */
function compareApis(theirs: readonly KafkaApi[]): void {
  for (const api of theirs) {
    const entry = Object.entries(API_KEYS).find(([, info]) => info.key === api.key)
    assert.ok(entry, `API key ${api.key}`)
    const [name, info] = entry
    assert.equal(name, `${api.name[0]?.toUpperCase()}${api.name.slice(1)}`)
    api.requestHeaders.forEach((header, i) => {
      const flexible = api.minVersion + i >= info.flexibleSince
      assert.equal(header, flexible ? 2 : 1, `request header of ${name}`)
      const ours = flexible && name !== 'ApiVersions' ? 1 : 0
      assert.equal(api.responseHeaders[i], ours, `response header of ${name}`)
    })
  }
  assert.equal(theirs.length, Object.keys(API_KEYS).length)
  for (const api of Object.values(APIS)) {
    const kafka = theirs.find((candidate) => candidate.key === api.key)
    assert.equal(api.maxVersion, kafka?.maxVersion, `last version of ${api.name}`)
    if (api.name !== 'Produce') assert.equal(api.minVersion, kafka?.minVersion, api.name)
  }
}

function compareErrors(theirs: readonly KafkaError[]): void {
  const ours = Object.entries(KAFKA_ERRORS).map(([name, error]) => {
    return { code: error.code, name, retriable: error.retriable }
  })
  assert.deepEqual(ours, theirs)
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '50' },
      seed: { type: 'string', default: '1' },
      only: { type: 'string' },
      'write-fixtures': { type: 'boolean', default: false },
    },
  })
  const options = { cases: Number(values.cases), seed: Number(values.seed), size: LARGE }
  const oracle = await Oracle.start()
  try {
    const tables = await oracle.tables()
    compareApis(tables.apis)
    compareErrors(tables.errors)
    let pairs = 0
    let cases = 0
    for (const message of MESSAGES) {
      if (values.only !== undefined && values.only !== message.name) continue
      const vectors = await compareMessage(oracle, message, options)
      pairs += versionsOf(message).length
      cases += vectors.length
      if (!values['write-fixtures']) continue
      const golden = { cases: VECTORS_PER_VERSION, seed: 1, size: SMALL }
      await writeFixtures(message, await compareMessage(oracle, message, golden))
    }
    console.log(
      `codec: ${MESSAGES.length} messages, ${pairs} message versions, ${cases} random contents: ` +
        `the same bytes as Kafka ${oracle.kafkaVersion}, both ways; ` +
        `${tables.apis.length} API keys and ${tables.errors.length} error codes agree`,
    )
  } finally {
    await oracle.stop()
  }
}

await main()
