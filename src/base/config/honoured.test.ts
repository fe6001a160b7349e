// A config that can be set does something: its name is read somewhere outside the tables.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { brokerConfigs } from './broker-configs.ts'
import type { AnyConfigDefinition } from './definition.ts'
import { topicConfigs } from './topic-configs.ts'

const SOURCE = join(import.meta.dirname, '..', '..')

function sources(): string {
  const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
  return files
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .filter((path) => !path.includes(join('base', 'config')) && !path.includes('testing'))
    .map((path) => readFileSync(join(SOURCE, path), 'utf8'))
    .join('\n')
}

/** Whether any value but the default is accepted. */
function canBeSet(definition: AnyConfigDefinition): boolean {
  const others =
    definition.values ?? (definition.type === 'boolean' ? ['true', 'false'] : undefined)
  if (typeof definition.default === 'number') {
    return definition.refuse(definition.default + 1) === undefined
  }
  if (typeof definition.default === 'boolean') {
    return definition.refuse(!definition.default) === undefined
  }
  if (others === undefined) return definition.refuse(['x']) === undefined
  return others.some((value) => {
    const given = definition.type === 'list' ? [value] : value
    return value !== definition.defaultText && definition.refuse(given) === undefined
  })
}

test('every config that can be set is read by the node', () => {
  const text = sources()
  const unread = (name: string) => !text.includes(`'${name}'`)
  const settable = [...Object.entries(brokerConfigs), ...Object.entries(topicConfigs)].filter(
    ([, definition]) => canBeSet(definition),
  )
  assert.ok(settable.length > 35, `only ${settable.length} configs can be set`)
  assert.deepEqual(
    settable.map(([name]) => name).filter((name) => unread(name)),
    [],
  )
  assert.equal(unread('no.such.config'), true)
})
