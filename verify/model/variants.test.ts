import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { describeTrace } from './trace.ts'
import { variants } from './variants.ts'

const here = import.meta.dirname
const specification = readFileSync(path.join(here, 'Replication.tla'), 'utf8')
const page = readFileSync(path.join(here, '../../docs/model.md'), 'utf8')

test('every rule that the specification can break is a variant, and every variant breaks one', () => {
  const broken = [...specification.matchAll(/Broken\("([a-z-]+)"\)/g)].map(([, rule]) => rule)
  assert.deepEqual([...new Set(broken)].sort(), variants.map(({ name }) => name).sort())
})

test('the page lists the variants in their order', () => {
  const listed = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name)
  assert.deepEqual(
    listed,
    variants.map(({ name }) => name),
  )
})

test('a script names steps and voters that there are', () => {
  const actions = new Set([...specification.matchAll(/Step\(<<"(\w+)"/g)].map(([, name]) => name))
  for (const { name, script, bounds } of variants) {
    const voters = ['a', 'b', 'c', 'd', 'e'].slice(0, bounds.voters)
    for (const [action, ...args] of script) {
      assert.ok(actions.has(action), `${name}: ${action}`)
      for (const arg of args) {
        assert.ok(typeof arg === 'number' || voters.includes(arg), `${name}: ${arg}`)
      }
    }
  }
})

test('a behaviour in words: the step, then the replicas that it changed', () => {
  const state = (last: string, a: string) => `
/\\ last = ${last}
/\\ disk = ( a :>
      << ${a} >> @@
  b :> <<[log |-> <<>>, term |-> 0, suspect |-> FALSE, vote |-> None]>> )
/\\ role = (a :> "leader" @@ b :> "follower")
`
  const before = '[log |-> <<<<1, 0>>>>, term |-> 1, suspect |-> FALSE, vote |-> a]'
  const after = `${before},
         [ log |-> <<<<1, 0>>, <<1, 1>>, <<2, 1>>>>,
           term |-> 2, suspect |-> FALSE, vote |-> a ]`
  assert.deepEqual(describeTrace([state('<<"Init">>', before), state('<<"Produce", a>>', after)]), [
    '  1. a, leader, appends a record and sends it',
    '       a: term 2, leader, log M(1,0) (1,1) M(2,1) (durable: M(1,0))',
  ])
})
