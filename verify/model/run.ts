// Checks the replication protocol itself, as a TLA+ specification, with TLC: under the sound rules nothing may go wrong in
// any behaviour within the bounds; with one rule broken at a time the checker must find what goes wrong.
//
//   node verify/model/run.ts [--large] [--only sound|variants] [--variant NAME]
//
// --large takes larger bounds for the sound rules (hours). --variant runs one broken rule and prints the behaviour found.
// The exit code is 0 only if the sound rules hold and every broken rule is found.

import { parseArgs } from 'node:util'
import { provideTlc, runTlc } from './tlc.ts'
import type { Outcome } from './tlc.ts'
import { describeTrace } from './trace.ts'
import { largeScopes, soundScopes, variants } from './variants.ts'
import type { Bounds, Scope, Variant } from './variants.ts'

const { values: options } = parseArgs({
  options: {
    large: { type: 'boolean', default: false },
    only: { type: 'string' },
    variant: { type: 'string' },
  },
})

/** Far above what one takes on two free cores: a busy machine only makes it slow. */
const variantTimeoutMs = 600_000
const soundTimeoutMs = options.large ? 24 * 3_600_000 : 1_800_000

async function main(): Promise<boolean> {
  const why = await provideTlc()
  if (why !== undefined) {
    console.log(`model: not checked: ${why}`)
    return process.env['CI'] === undefined
  }
  if (options.variant !== undefined) return showVariant(options.variant)
  const startedMs = Date.now()
  const sound = options.only === 'variants' || (await checkSound())
  const found = options.only === 'sound' || (await findVariants())
  console.log(`model: ${sound && found ? 'ok' : 'FAILED'}, ${seconds(Date.now() - startedMs)}`)
  return sound && found
}

async function checkSound(): Promise<boolean> {
  let good = true
  for (const [k, scope] of (options.large ? largeScopes : soundScopes).entries()) {
    const outcome = await runTlc({
      name: `sound-${k}`,
      rules: 'sound',
      bounds: scope.bounds,
      script: [],
      workers: 2,
      timeoutMs: soundTimeoutMs,
      random: scope.random,
    })
    const said = `${describeBounds(scope.bounds)}: ${counted(outcome, scope)}, ${seconds(outcome.ms)}`
    if (outcome.violation === undefined) console.log(`holds  ${said}`)
    else {
      good = false
      console.log(`FAILED ${said}: ${outcome.violation.property} is violated`)
      printTrace(outcome)
    }
  }
  return good
}

function counted({ states }: Outcome, { random }: Scope): string {
  const number = (n: number) => n.toLocaleString('en-US')
  return random === undefined
    ? `${number(states)} distinct states`
    : `${number(states)} states in ${number(random)} random behaviours`
}

/** Two at a time, each with one thread. */
async function findVariants(): Promise<boolean> {
  const waiting = [...variants]
  let good = true
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const outcome = await runVariant(next)
      if (outcome.violation === undefined) good = false
      console.log(describeVariant(next, outcome))
    }
  }
  await Promise.all([worker(), worker()])
  return good
}

function runVariant(variant: Variant): Promise<Outcome> {
  return runTlc({
    name: variant.name,
    rules: variant.name,
    bounds: variant.bounds,
    script: variant.script,
    workers: 1,
    timeoutMs: variantTimeoutMs,
  })
}

async function showVariant(name: string): Promise<boolean> {
  const variant = variants.find((each) => each.name === name)
  if (variant === undefined) {
    console.log(`model: no variant "${name}"; there are: ${variants.map((v) => v.name).join(', ')}`)
    return false
  }
  const outcome = await runVariant(variant)
  console.log(`${variant.name} (${variant.law}): ${variant.breaks}`)
  console.log(`within ${describeBounds(variant.bounds)}\n`)
  printTrace(outcome)
  console.log(`\n${describeVariant(variant, outcome)}`)
  return outcome.violation !== undefined
}

function describeVariant(variant: Variant, { violation, states, ms }: Outcome): string {
  const name = variant.name.padEnd(28)
  const searched = `${states.toLocaleString('en-US')} states, ${seconds(ms)}`
  if (violation === undefined) return `NOT FOUND ${name} ${searched}`
  const given = variant.script.length === 0 ? '' : ` (the first ${variant.script.length} given)`
  const steps = `in ${violation.behaviour.length - 1} steps${given}`
  return `found  ${name} ${steps}: ${violation.property}; ${searched}`
}

function printTrace(outcome: Outcome): void {
  if (outcome.violation === undefined) return
  console.log(describeTrace(outcome.violation.behaviour).join('\n'))
}

function describeBounds(bounds: Bounds): string {
  const count = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`
  const parts = [
    count(bounds.voters, 'voter'),
    count(bounds.epochs, 'epoch'),
    count(bounds.records, 'record'),
    `${bounds.unsynced} unsynced`,
  ]
  if (bounds.slowFollowers) parts.push('followers sync apart')
  if (bounds.compacted === true) parts.push('begun anew')
  if (bounds.damages > 0) parts.push(count(bounds.damages, 'damage'))
  return parts.join(', ')
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

process.exitCode = (await main()) ? 0 : 1
