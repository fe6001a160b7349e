// Finds the places to break in one source file, by the rules of its target. Assertions are left alone: they only say what must
// be true anyway.

import { parseSync } from 'oxc-parser'
import type { Rules } from './targets.ts'

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

const COMPARISONS: ReadonlySet<string> = new Set(['===', '!==', '<', '>', '<=', '>='])

export function findMutants(file: string, source: string, rules: Rules): Mutant[] {
  const { program, errors } = parseSync(file, source)
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`)
  const found: Mutant[] = []
  const seen = new Map<string, number>()
  const add = (
    at: { readonly node: Node; readonly within: string },
    kind: string,
    replacement: string,
    shown?: string,
  ): void => {
    const { start, end } = at.node
    const text = (shown ?? source.slice(start, end)).replaceAll(/\s+/g, ' ')
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
  const holds = (at: { readonly node: Node; readonly within: string }): void => {
    add(at, 'always', '(true as boolean)')
    add(at, 'never', '(false as boolean)')
  }
  walk(program as unknown as Node, { within: '', parent: undefined }, (node, context) => {
    const at = { node, within: context.within }
    const call = calledName(node, rules.calls)
    if (call !== undefined) {
      add(at, `no ${call}`, 'undefined')
      if (context.parent?.type === 'AwaitExpression')
        add(
          { ...at, node: context.parent },
          `no wait for ${call}`,
          `void ${source.slice(node.start, node.end)}`,
        )
    }
    const text = source.slice(node.start, node.end)
    if (isComparison(node) && rules.comparisons.test(text)) holds(at)
    else if (rules.conditions && isCondition(node, context.parent)) holds(at)
    if (rules.assignments && isAssignment(node, context)) add(at, 'unset', ';')
    if (rules.counts) for (const [kind, other] of otherCounts(node, source)) add(at, kind, other)
    if (rules.ordered.has(context.within.split('/').at(-1) ?? '')) {
      for (const [earlier, later] of exchanges(node)) {
        const between = source.slice(earlier.end, later.start)
        const [first, second] = [earlier, later].map(({ start, end }) => source.slice(start, end))
        const { start } = earlier
        const place = { ...at, node: { ...node, start, end: later.end } }
        add(place, 'exchanged', `${second}${between}${first}`, `${first} … ${second}`)
      }
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
function calledName(node: Node, names: ReadonlySet<string>): string | undefined {
  if (node.type !== 'CallExpression' || !isNode(node['callee'])) return undefined
  const { callee } = node
  const named = callee.type === 'MemberExpression' ? callee['property'] : callee
  if (!isNode(named)) return undefined
  const name = String(named['name'])
  return names.has(name) ? name : undefined
}

function isComparison(node: Node): boolean {
  return node.type === 'BinaryExpression' && COMPARISONS.has(String(node['operator']))
}

/** A whole condition, or an operand of one. What is only asked whether it is there shows at once. */
function isCondition(node: Node, parent: Node | undefined): boolean {
  if (['LogicalExpression', 'UnaryExpression', 'ParenthesizedExpression'].includes(node.type))
    return false
  if (isComparison(node) && [node['left'], node['right']].some(isAbsence)) return false
  if (isComparison(node)) return parent?.type !== 'ForStatement'
  switch (parent?.type) {
    case 'IfStatement':
    case 'ConditionalExpression':
      return parent['test'] === node
    case 'UnaryExpression':
      return parent['operator'] === '!'
    case 'LogicalExpression':
      return parent['operator'] !== '??'
    default:
      return false
  }
}

function isAbsence(value: unknown): boolean {
  if (!isNode(value)) return false
  return value['name'] === 'undefined' || (value.type === 'Literal' && value['value'] === null)
}

function isAssignment(node: Node, { within }: Context): boolean {
  if (node.type !== 'ExpressionStatement' || within.endsWith('/constructor')) return false
  const { expression } = node
  if (!isNode(expression) || expression.type !== 'AssignmentExpression') return false
  return isNode(expression['left']) && expression['left'].type === 'MemberExpression'
}

function* otherCounts(node: Node, source: string): Iterable<readonly [string, string]> {
  const textOf = ({ start, end }: Node): string => source.slice(start, end)
  const text = textOf(node)
  if (node.type === 'BinaryExpression' && ['>>', '/'].includes(String(node['operator']))) {
    yield ['one more', `(${text} + 1)`]
    yield ['one fewer', `(${text} - 1)`]
  }
  if (node.type !== 'CallExpression' || !/^Math\.(min|max)\(/.test(text)) return
  for (const argument of node['arguments'] as readonly Node[]) {
    yield [`only ${textOf(argument)}`, textOf(argument)]
  }
}

/** Pairs of statements of a function's body; neither a declaration, an assertion nor a way out. */
function* exchanges(node: Node): Iterable<readonly [Node, Node]> {
  if (node.type !== 'BlockStatement') return
  const movable = (node['body'] as readonly Node[]).filter((each) => {
    if (!['ExpressionStatement', 'IfStatement', 'ForOfStatement'].includes(each.type)) return false
    return !(isNode(each['expression']) && isAssertion(each['expression']))
  })
  for (const [i, earlier] of movable.entries()) {
    for (const later of movable.slice(i + 1)) yield [earlier, later]
  }
}
