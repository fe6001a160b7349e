// The directory of a development cluster: `node-N`, the data of node N; `node-N.log`, what it said; `dev.json`, how many
// nodes there are and how the running supervisor is reached; `lock`, which that one holds.

import { DiskError, type Disk } from '../../env/disk.ts'
import { Failure, usage } from '../failure.ts'
import { isOfNode, LOCK_FILE, type ResetWorld, resetParts } from '../reset.ts'
import type { ControlNote } from './control.ts'

const NOTE_FILE = 'dev.json'
const NODE_DIRECTORY = /^node-\d+$/
const OURS = /^(node-\d+|node-\d+\.log(\.1)?|dev\.json(\.tmp)?|lock)$/
/** What a node keeps at the top of its directory, and a development cluster does not. */
const OF_ONE_NODE = /^(chronik\.json|checkpoint|journal|logs)$/

export interface DevNote {
  /** Voters are fixed when a cluster is formed. */
  readonly nodes: number
  /** Absent: no supervisor runs, or it died. */
  readonly control?: ControlNote
}

export interface PrivateFiles {
  /** Undefined where there is none. */
  readonly read: (path: string) => Promise<string | undefined>
  readonly write: (path: string, text: string) => Promise<void>
}

export class DevDirectory {
  readonly path: string
  readonly #disk: Disk
  readonly #files: PrivateFiles
  readonly #self: string

  /** `self` is how a person runs this program. */
  constructor(
    path: string,
    world: { readonly disk: Disk; readonly files: PrivateFiles; readonly self: string },
  ) {
    this.path = path
    this.#self = world.self
    this.#disk = world.disk
    this.#files = world.files
  }

  /** Undefined where there is none. */
  async readNote(): Promise<DevNote | undefined> {
    const text = await this.#files.read(`${this.path}/${NOTE_FILE}`)
    if (text === undefined) return undefined
    const note = parseNote(text)
    if (note !== undefined) return note
    throw new Failure(
      `${this.path}/${NOTE_FILE} is damaged or of another version; remove it (the data is in node-1 and so on), ` +
        'and say how many nodes with --nodes',
    )
  }

  writeNote(note: DevNote): Promise<void> {
    const text = `${JSON.stringify({ version: 1, ...note }, null, 2)}\n`
    return this.#files.write(`${this.path}/${NOTE_FILE}`, text)
  }

  /**
   * How many nodes to run: as many as the directory holds, else as many as asked, else `otherwise`. Fails where that
   * differs from what was asked, and where the directory holds something else.
   */
  async nodeCount(asked: number | undefined, otherwise: number): Promise<number> {
    const names = await this.#names()
    if (names.some((name) => OF_ONE_NODE.test(name))) throw this.#holdsOneNode()
    const highest = highestOf(names)
    // A note without data is of a cluster that never came to be.
    const held = highest === undefined ? undefined : ((await this.readNote())?.nodes ?? highest)
    if (held === undefined || held === asked) return asked ?? otherwise
    if (asked === undefined) return held
    throw usage(
      `${this.path} holds a cluster of ${held}, whose number is fixed; leave --nodes out, begin anew with --reset, ` +
        'or give another directory with --data-dir',
    )
  }

  /** Whether nodes have kept data there. */
  async holdsData(): Promise<boolean> {
    return highestOf(await this.#names()) !== undefined
  }

  #holdsOneNode(): Failure {
    const { path } = this
    return new Failure(
      `${path} holds the data of one node by itself, which a development cluster can't take over. ` +
        `To use it as it is: ${this.#self} start --data-dir ${path}. To keep it and begin anew: mv ${path} ${path}-single. ` +
        'To delete it and begin anew: --reset',
    )
  }

  /** Creates the directory. Fails where another supervisor, or a node, uses it. */
  async lock(): Promise<{ release(): Promise<void> }> {
    await this.#disk.makeDirectory(this.path)
    return this.#disk.lock(`${this.path}/${LOCK_FILE}`).catch((error: unknown) => {
      if (!(error instanceof DiskError) || error.code !== 'LOCKED') throw error
      const holder = /held by [^():,;]+/.exec(error.message)?.[0] ?? 'held by another process'
      throw new Failure(
        `${this.path} is in use, ${holder}; stop that one (Ctrl-C there), or give another directory with --data-dir`,
      )
    })
  }

  /** Deletes everything, after asking; a single node's data as well. */
  async reset(world: ResetWorld): Promise<void> {
    const names = await this.#names()
    const nodes = names.filter((name) => NODE_DIRECTORY.test(name))
    const parts = [
      { path: this.path, isOurs: (name: string) => OURS.test(name) || isOfNode(name) },
      ...nodes.map((name) => ({ path: `${this.path}/${name}`, isOurs: isOfNode })),
    ]
    await resetParts(this.path, parts, this.#disk, world)
  }

  async #names(): Promise<string[]> {
    const found = await this.#disk.stat(this.path)
    if (found === undefined) return []
    if (found.kind === 'directory') return (await this.#disk.list(this.path)).map((e) => e.name)
    throw new Failure(`${this.path} is a file; give a directory with --data-dir`)
  }
}

function highestOf(names: readonly string[]): number | undefined {
  const ids = names.filter((name) => NODE_DIRECTORY.test(name)).map((name) => Number(name.slice(5)))
  return ids.length === 0 ? undefined : Math.max(...ids)
}

function parseNote(text: string): DevNote | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { version, nodes, control } = value as Partial<DevNote & { version: number }>
  if (version !== 1 || typeof nodes !== 'number') return undefined
  return { nodes, ...(control === undefined ? {} : { control }) }
}
