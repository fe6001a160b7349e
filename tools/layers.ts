// The one table of rooms and who may import whom: each room imports only from rooms in earlier rows; rooms of one row
// never import each other. The lint configuration is written from it (`lint-config.ts`), the real import graph is
// checked against it (`tidy.ts`).

export const layers: readonly (readonly string[])[] = [
  ['base'],
  ['env', 'protocol', 'raft'],
  ['records'],
  ['storage', 'client'],
  ['multiraft'],
  ['replicated'],
  ['partition', 'controller', 'groups', 'transactions', 'security', 'tiering'],
  ['broker'],
  ['admin'],
  ['server'],
  ['cli'],
]

export const rooms: readonly string[] = layers.flat()

/** `raft` is a pure state machine: of the rooms to its left it may use `base` alone. */
const narrower: Readonly<Record<string, readonly string[]>> = { raft: ['base'], protocol: ['base'] }

/** The rooms that `room` may import from, itself left out. */
export function mayImport(room: string): readonly string[] {
  const row = layers.findIndex((names) => names.includes(room))
  if (row < 0) throw new Error(`no room is named ${room}`)
  return narrower[room] ?? layers.slice(0, row).flat()
}

/** Folders beside `src` that import it. Of `src`, only `cli` loads them, and lazily. */
export const outside: readonly string[] = ['verify', 'bench', 'test', 'tools']

/** Where the real world is allowed: the adapters behind the ports. */
export const worldFolder = 'src/env/node/'
