// Says a behaviour that TLC found in words: one line per step, then the logs that it changed.

/** TLC prints a state as `/\ variable = value` for each variable, a value perhaps over several lines. */
export function describeTrace(states: readonly string[]): string[] {
  const lines: string[] = []
  let before = new Map<string, string>()
  for (const [k, text] of states.entries()) {
    const flat = text.replace(/\s+/g, ' ')
    const step = /\/\\ last = <<(.*?)>>/.exec(flat)?.[1] ?? ''
    const [action = '', ...args] = step.split(',').map((word) => word.trim().replaceAll('"', ''))
    const after = replicasOf(flat)
    if (action !== 'Init') lines.push(`${String(k).padStart(3)}. ${inWords(action, args)}`)
    for (const [node, shown] of after) {
      if (before.get(node) !== shown && action !== 'Init') lines.push(`       ${node}: ${shown}`)
    }
    before = after
  }
  return lines
}

function inWords(action: string, args: readonly string[]): string {
  const [i = '', x = '', y = ''] = args
  switch (action) {
    case 'Vote':
      return `${i} votes for ${x} in term ${y}`
    case 'VoteLate':
      return `${i} votes for ${x} by a request that ${x} sent before its damage`
    case 'Campaign':
      return `${i} campaigns in term ${x}`
    case 'Produce':
      return `${i}, leader, appends a record and sends it`
    case 'Receive':
      return `${i} receives the log of epoch ${x} up to entry ${y}`
    case 'BeginAnew':
      return `${i} begins anew: the leader of epoch ${x} has no tombstones below entry ${y}`
    case 'Sync':
      return `${i} syncs one journal record`
    case 'Crash':
      return `${i} crashes, loses what was not synced, and is back`
    case 'Commit':
      return `${i}, leader, commits up to entry ${x}`
    case 'Damage':
      return `${i} is damaged: ${x} entries of its log remain, term and vote are forgotten`
    case 'Meet':
      return `${i}, leader, learns that ${x} is suspect`
    case 'Answer':
      return `${y} answers ${i}: still in this term (for the return of ${x})`
    case 'Heal':
      return `${x} holds what ${i} confirmed (${y} entries): no longer suspect`
    default:
      return `${action} ${args.join(' ')}`
  }
}

/** Each node and its state in words, from the variables `role` and `disk`. */
function replicasOf(flat: string): Map<string, string> {
  const roles = new Map(
    [...valueOf(flat, 'role').matchAll(/(\w+) :> "(\w+)"/g)].map(([, node = '', role = '']) => [
      node,
      role,
    ]),
  )
  const found = new Map<string, string>()
  for (const [, node = '', disk = ''] of valueOf(flat, 'disk').matchAll(
    /(\w+) :> (.*?)(?= @@|\s*\)$|$)/g,
  )) {
    const states = [...disk.matchAll(/\[(.*?)\]/g)].map(([, fields = '']) => fields)
    const [durable = '', accepted = ''] = [states[0], states.at(-1)]
    const logs = [durable, accepted].map((state) =>
      logInWords(/log \|-> (<<.*>>)/.exec(state)?.[1]),
    )
    const unsynced = logs[0] === logs[1] ? '' : ` (durable: ${logs[0]})`
    const damaged = durable.includes('suspect |-> TRUE') ? ', suspect' : ''
    const term = /term \|-> (\d+)/.exec(accepted)?.[1]
    found.set(node, `term ${term}, ${roles.get(node)}${damaged}, log ${logs[1]}${unsynced}`)
  }
  return found
}

function valueOf(flat: string, variable: string): string {
  return new RegExp(`/\\\\ ${variable} = (.*?)(?= /\\\\ |$)`).exec(flat)?.[1] ?? ''
}

/** `<<<<1, 0>>, <<1, 1>>>>` becomes `M(1,0) (1,1)`. */
function logInWords(log = ''): string {
  let epoch = ''
  const entries = [...log.matchAll(/(\d+), (\d+)/g)].map(([, e = '', o = '']) => {
    const entry = e === epoch ? `(${e},${o})` : `M(${e},${o})`
    epoch = e
    return entry
  })
  return entries.length === 0 ? 'empty' : entries.join(' ')
}
