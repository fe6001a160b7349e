// Finds the places to break in one source file: calls that make things durable or cut them, and comparisons that decide
// whether to believe what was read. Assertions are left alone: they only say what must be true anyway.

import { parseSync } from 'oxc-parser'

export interface Mutant {
  readonly file: string
  readonly line: number
  readonly kind: string
  /** The place in the source. */
  readonly text: string
  /** Names it across edits elsewhere: file, function, kind, text, and which of several equal ones. */
  readonly key: string
  readonly apply: (source: string) => string
}

/** A node of the syntax tree, as far as it matters here. */
interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

/** Calls without which something is not on the disk when it must be, or is there when it must not, or is not checked. */
const DURABLE_CALLS: ReadonlySet<string> = new Set([
  'sync',
  'syncDirectory',
  'truncate',
  'whenDurable',
  'rename',
  'commit',
  'flush',
  'checkpoint',
  'fatal',
  'rewrite',
  'syncParents',
  'refuseData',
  'writeIdentity',
  'writeCheckpoint',
  'loadTails',
  'matchFiles',
  'checkNothingAfter',
  'checkEpochs',
])
const COMPARISONS: ReadonlySet<string> = new Set(['===', '!==', '<', '>', '<=', '>='])
const SUBJECTS =
  /crc|lsn|generation|sequence|epoch|incarnation|version|magic|truncations|cuts|comparePositions|fileEnd|keptBytes|segment\.bytes/i

export function findMutants(file: string, source: string): Mutant[] {
  const { program, errors } = parseSync(file, source)
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`)
  const found: Mutant[] = []
  const seen = new Map<string, number>()
  const add = (
    at: { readonly node: Node; readonly within: string },
    kind: string,
    replacement: string,
  ): void => {
    const { start, end } = at.node
    const text = source.slice(start, end).replaceAll(/\s+/g, ' ')
    const name = `${file} ${at.within} ${kind}: ${text}`
    const times = (seen.get(name) ?? 0) + 1
    seen.set(name, times)
    found.push({
      file,
      line: source.slice(0, start).split('\n').length,
      kind,
      text,
      key: times === 1 ? name : `${name} #${times}`,
      apply: (original) => original.slice(0, start) + replacement + original.slice(end),
    })
  }
  walk(program as unknown as Node, { within: '', parent: undefined }, (node, context) => {
    const at = { node, within: context.within }
    const call = durableCall(node)
    if (call !== undefined) {
      add(at, `no ${call}`, 'undefined')
      if (context.parent?.type === 'AwaitExpression')
        add(
          { ...at, node: context.parent },
          `no wait for ${call}`,
          `void ${source.slice(node.start, node.end)}`,
        )
    }
    if (isComparison(node, source)) {
      add(at, 'always', '(true as boolean)')
      add(at, 'never', '(false as boolean)')
    }
  })
  return found
}

interface Context {
  /** The names of the classes and functions around it. */
  readonly within: string
  readonly parent: Node | undefined
}

function walk(node: Node, context: Context, visit: (node: Node, context: Context) => void): void {
  if (isAssertion(node)) return
  visit(node, context)
  const name = nameOf(node)
  const within = name === undefined ? context.within : `${context.within}/${name}`
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) walk(child, { within, parent: node }, visit)
    }
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value
}

function nameOf(node: Node): string | undefined {
  const named = ['FunctionDeclaration', 'ClassDeclaration', 'MethodDefinition']
  if (!named.includes(node.type)) return undefined
  const id = node['id'] ?? node['key']
  return isNode(id) ? String(id['name']) : undefined
}

function isAssertion(node: Node): boolean {
  if (node.type !== 'CallExpression' || !isNode(node['callee'])) return false
  return node['callee'].type === 'Identifier' && node['callee']['name'] === 'assert'
}

/** The name of the function or method, if it is one of those. */
function durableCall(node: Node): string | undefined {
  if (node.type !== 'CallExpression' || !isNode(node['callee'])) return undefined
  const { callee } = node
  const named = callee.type === 'MemberExpression' ? callee['property'] : callee
  if (!isNode(named)) return undefined
  const name = String(named['name'])
  return DURABLE_CALLS.has(name) ? name : undefined
}

function isComparison(node: Node, source: string): boolean {
  if (node.type !== 'BinaryExpression' || !COMPARISONS.has(String(node['operator']))) return false
  return SUBJECTS.test(source.slice(node.start, node.end))
}
