// Config tables, parsing, refusals, and where a value in force comes from.

// Config tables: parsing, refusals, and where a value comes from.

import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { allBrokerConfigs, brokerConfigs } from './broker-configs.ts'
import { intConfig, LONG_MAX } from './definition.ts'
import { parseConfig } from './parse.ts'
import {
  ConfigSource,
  describeBrokerConfigs,
  describeTopicConfigs,
  resolveBrokerConfigs,
  resolveTopicConfigs,
} from './resolve.ts'
import { topicConfigs } from './topic-configs.ts'
import {
  refuseDynamicBrokerConfig,
  validateBrokerConfigs,
  validateTopicConfigs,
} from './validate.ts'

const map = (entries: Record<string, string>) => new Map(Object.entries(entries))

test('every default is valid and honoured', () => {
  for (const table of [topicConfigs, allBrokerConfigs]) {
    for (const [name, definition] of Object.entries(table)) {
      const parsed = parseConfig(name, definition, definition.defaultText)
      assert.deepEqual(parsed, { ok: true, value: definition.default }, name)
      assert.match(definition.documentation, /\.$/, name)
    }
  }
})

test('integers: any 64-bit value parses, clamped to the safe integers, others are refused', () => {
  const definition = topicConfigs['retention.bytes']
  fc.assert(
    fc.property(fc.bigInt({ min: -1n, max: 2n ** 63n - 1n }), (value) => {
      const parsed = parseConfig('retention.bytes', definition, String(value))
      assert.deepEqual(parsed, { ok: true, value: Math.min(Number(value), LONG_MAX) })
    }),
  )
  for (const text of ['', ' ', '1.5', '0x10', '1e3', '9223372036854775808', 'NaN', '１']) {
    assert.equal(parseConfig('retention.bytes', definition, text).ok, false, text)
  }
})

test('range, enum and list are checked, and the message names them', () => {
  const check = (name: string, text: string) => validateTopicConfigs([[name, text]])
  assert.match(check('segment.bytes', '12') ?? '', /segment\.bytes.*at least 4096/)
  assert.match(check('segment.bytes', '2147483648') ?? '', /no more than 2147483647/)
  assert.match(check('message.timestamp.type', 'Never') ?? '', /CreateTime, LogAppendTime/)
  assert.match(check('cleanup.policy', 'shred') ?? '', /delete, compact/)
  assert.match(check('min.cleanable.dirty.ratio', '1.01') ?? '', /no more than 1/)
  assert.match(check('preallocate', 'yes') ?? '', /true or false/)
  assert.equal(check('preallocate', 'False'), undefined)
  assert.equal(check('retention.ms', ' 1000 '), undefined)
})

test('what is valid in Kafka and not honoured here is refused with the reason', () => {
  const refused: [string, string, RegExp][] = [
    ['flush.messages', '2', /durable before/],
    ['unclean.leader.election.enable', 'true', /never given up/],
    ['remote.storage.enable', 'true', /tiered/],
    ['compression.type', 'zstd', /producer/],
    ['chronik.acks1', 'leader', /majority/],
  ]
  for (const [name, text, reason] of refused) {
    assert.match(validateTopicConfigs([[name, text]]) ?? '', reason, name)
  }
  assert.equal(validateTopicConfigs([['flush.messages', '2']], { honoured: false }), undefined)
  assert.match(
    validateBrokerConfigs([['log.flush.interval.messages', '2']]) ?? '',
    /durable before/,
  )
})

test('compaction: its policies, its lags', () => {
  for (const policy of ['compact', 'delete', 'compact,delete']) {
    assert.equal(validateTopicConfigs([['cleanup.policy', policy]]), undefined)
  }
  assert.match(validateTopicConfigs([['cleanup.policy', '']]) ?? '', /delete, compact or both/)
  const lags = (min: string, max: string): string | undefined =>
    validateTopicConfigs([
      ['min.compaction.lag.ms', min],
      ['max.compaction.lag.ms', max],
    ])
  assert.equal(lags('5', '5'), undefined)
  assert.match(lags('6', '5') ?? '', /min\.compaction\.lag\.ms \(6\) is greater/)
})

test('unknown names are refused, inherited ones too', () => {
  assert.match(validateTopicConfigs([['retention', '1']]) ?? '', /Unknown topic config name/)
  assert.match(validateTopicConfigs([['toString', '1']]) ?? '', /Unknown topic config name/)
  assert.match(validateTopicConfigs([['retention.ms', null]]) ?? '', /Null value/)
  assert.match(validateBrokerConfigs([['retention.ms', '1']]) ?? '', /Unknown broker config name/)
})

test('a topic value wins over broker synonyms, the finer synonym over the coarser', () => {
  const staticBroker = map({ 'log.retention.hours': '2', 'log.retention.minutes': '3' })
  assert.equal(resolveTopicConfigs({ staticBroker })['retention.ms'], 180_000)
  const dynamic = { staticBroker, dynamicDefaultBroker: map({ 'log.retention.hours': '1' }) }
  assert.equal(resolveTopicConfigs(dynamic)['retention.ms'], 180_000)
  const topic = map({ 'retention.ms': '7' })
  const [entry] = describeTopicConfigs({ ...dynamic, topic }, ['retention.ms'])
  assert.deepEqual(
    [entry?.value, entry?.source, entry?.synonyms],
    [
      '7',
      ConfigSource.topic,
      [
        { name: 'retention.ms', value: '7', source: 1 },
        { name: 'log.retention.minutes', value: '3', source: 4 },
        { name: 'log.retention.hours', value: '1', source: 3 },
        { name: 'log.retention.hours', value: '2', source: 4 },
        { name: 'log.retention.hours', value: '168', source: 5 },
      ],
    ],
  )
})

test('defaults are shown with their source, in the unit of the config', () => {
  const staticBroker = new Map<string, string>()
  const [retention] = describeTopicConfigs({ staticBroker }, ['retention.ms', 'nonsense'])
  assert.deepEqual([retention?.value, retention?.source], ['604800000', ConfigSource.default])
  const [flush] = describeTopicConfigs({ staticBroker }, ['flush.ms'])
  assert.equal(flush?.value, '9223372036854775807')
  assert.equal(resolveTopicConfigs({ staticBroker })['flush.ms'], LONG_MAX)
  const hours = resolveTopicConfigs({ staticBroker: map({ 'log.retention.hours': '-1' }) })
  assert.equal(hours['retention.ms'], -1)
})

test('broker configs: typed values, read-only ones are marked', () => {
  const staticBroker = map({ 'num.partitions': '4', 'auto.create.topics.enable': 'false' })
  const values = resolveBrokerConfigs({ staticBroker })
  assert.equal(values['num.partitions'] satisfies number, 4)
  assert.equal(values['auto.create.topics.enable'] satisfies boolean, false)
  const described = describeBrokerConfigs({ staticBroker }, ['num.partitions', 'log.retention.ms'])
  const readOnly = described.map((entry) => [entry.name, entry.readOnly])
  assert.deepEqual(
    new Map(readOnly as [string, boolean][]),
    new Map([
      ['num.partitions', true],
      ['log.retention.ms', false],
    ]),
  )
  assert.match(refuseDynamicBrokerConfig('num.partitions', true) ?? '', /while the broker runs/)
  assert.equal(refuseDynamicBrokerConfig('log.retention.ms', true), undefined)
})

test('a definition cannot be reached by two names with different defaults', () => {
  const derived = Object.entries(allBrokerConfigs).filter(([name]) => !(name in brokerConfigs))
  assert.ok(derived.length > 25)
  assert.deepEqual(
    allBrokerConfigs['message.max.bytes']?.default,
    intConfig({ default: 1_048_588, documentation: '.' }).default,
  )
})
