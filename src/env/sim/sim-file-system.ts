// The names of a simulated disk: a tree of directories, again as processes see it and as it is durable, with the changes
// of names in between. Contents are in `sim-inode.ts`. It outlives processes; it knows no time and no faults.

import { assert } from '../../base/assert.ts'
import { DiskError, type DirectoryEntry, type EntryKind } from '../disk.ts'
import type { Prng } from './prng.ts'
import { SimInode, type CutMode } from './sim-inode.ts'

export class SimDirectory {
  readonly kind = 'directory'
  readonly id: number
  readonly entries = new Map<string, SimNode>()
  readonly durable = new Map<string, SimNode>()

  constructor(id: number) {
    this.id = id
  }
}

export type SimNode = SimInode | SimDirectory

/** A change of names that happens whole or not at all. */
interface NameChange {
  readonly id: number
  readonly node: SimNode
  readonly edits: readonly NameEdit[]
}

interface NameEdit {
  readonly directory: SimDirectory
  readonly name: string
  readonly node: SimNode | undefined
}

export class SimFileSystem {
  readonly #root = new SimDirectory(0)
  #changes: NameChange[] = []
  #nextId = 1
  /** Bytes of all files that have a name. */
  usedBytes = 0
  capacityBytes = Number.MAX_SAFE_INTEGER

  /** Another, empty disk in the place of this one. */
  clear(): void {
    this.#root.entries.clear()
    this.#root.durable.clear()
    this.#changes = []
    this.usedBytes = 0
  }

  get freeBytes(): number {
    return Math.max(0, this.capacityBytes - this.usedBytes)
  }

  /** Undefined where there is nothing of that name, or a file on the way. */
  find(path: string): SimNode | undefined {
    let node: SimNode | undefined = this.#root
    for (const name of split(path)) {
      if (node?.kind !== 'directory') return undefined
      node = node.entries.get(name)
    }
    return node
  }

  directory(path: string, operation: string): SimDirectory {
    let node: SimNode | undefined = this.#root
    for (const name of split(path)) {
      if (node.kind !== 'directory') throw new DiskError('ENOTDIR', operation, path)
      node = node.entries.get(name)
      if (node === undefined) throw new DiskError('ENOENT', operation, path)
    }
    if (node.kind !== 'directory') throw new DiskError('ENOTDIR', operation, path)
    return node
  }

  file(path: string, operation: string): SimInode {
    const { directory, name } = this.#place(path, operation)
    const node = directory.entries.get(name)
    if (node === undefined) throw new DiskError('ENOENT', operation, path)
    if (node.kind === 'directory') throw new DiskError('OTHER', operation, path, 'is a directory')
    return node
  }

  createFile(path: string, operation: string): SimInode {
    const { directory, name } = this.#place(path, operation)
    if (directory.entries.has(name)) throw new DiskError('EEXIST', operation, path)
    const node = new SimInode(this.#nextId++)
    this.#change(node, [{ directory, name, node }])
    return node
  }

  makeDirectory(path: string): void {
    let directory = this.#root
    for (const name of split(path)) {
      let node = directory.entries.get(name)
      if (node === undefined) {
        node = new SimDirectory(this.#nextId++)
        this.#change(node, [{ directory, name, node }])
      }
      if (node.kind !== 'directory') throw new DiskError('ENOTDIR', 'makeDirectory', path)
      directory = node
    }
  }

  list(path: string): DirectoryEntry[] {
    return [...this.directory(path, 'list').entries]
      .map(([name, node]): { name: string; kind: EntryKind } => ({ name, kind: node.kind }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  rename(from: string, to: string): void {
    const source = this.#place(from, 'rename')
    const target = this.#place(to, 'rename')
    const node = source.directory.entries.get(source.name)
    if (node === undefined) throw new DiskError('ENOENT', 'rename', from)
    const replaced = target.directory.entries.get(target.name)
    if (replaced === node) return
    if (replaced?.kind === 'directory') throw new DiskError('EEXIST', 'rename', to)
    if (replaced !== undefined) this.#unname(replaced)
    this.#change(node, [
      { ...source, node: undefined },
      { ...target, node },
    ])
  }

  unlink(path: string): void {
    const node = this.file(path, 'unlink')
    this.#unname(node)
    this.#change(node, [{ ...this.#place(path, 'unlink'), node: undefined }])
  }

  removeDirectory(path: string): void {
    const node = this.directory(path, 'removeDirectory')
    if (node.entries.size > 0) throw new DiskError('ENOTEMPTY', 'removeDirectory', path)
    this.#change(node, [{ ...this.#place(path, 'removeDirectory'), node: undefined }])
  }

  /** Names all changes so far, for `syncDirectory`. */
  mark(): number {
    return this.#nextId - 1
  }

  /** Makes the changes up to the mark in this directory durable, and those that they build on. */
  syncDirectory(directory: SimDirectory, mark: number): void {
    const nodes = new Set<SimNode>()
    const kept: NameChange[] = []
    for (const change of this.#changes.toReversed()) {
      const touches = change.edits.some((edit) => edit.directory === directory)
      if (nodes.has(change.node) || (touches && change.id <= mark)) {
        nodes.add(change.node)
        kept.unshift(change)
      }
    }
    for (const change of kept) makeDurable(change)
    this.#changes = this.#changes.filter((change) => !kept.includes(change))
  }

  /** The power fails: names and contents become what was durable and any part of what was not. */
  cutPower(mode: CutMode, chance: Prng): void {
    const inOrder = chance.chance(0.5)
    const share = mode === 'lose' ? 0 : mode === 'keep' ? 1 : chance.float()
    const lost = new Set<SimNode>()
    let stopped = false
    for (const change of this.#changes) {
      const keep = share === 1 || (share > 0 && chance.chance(share))
      // A change of a node never overtakes an earlier one of it: a file has one name at a time.
      if (stopped || lost.has(change.node) || !keep) {
        lost.add(change.node)
        stopped = inOrder
      } else {
        makeDurable(change)
      }
    }
    this.#changes = []
    this.usedBytes = 0
    this.#restore(this.#root, mode, chance)
  }

  /** Every file with its path, in the order of the paths. */
  files(): { readonly path: string; readonly file: SimInode }[] {
    const found: { path: string; file: SimInode }[] = []
    const walk = (directory: SimDirectory, path: string): void => {
      for (const [name, node] of directory.entries) {
        if (node.kind === 'file') found.push({ path: `${path}/${name}`, file: node })
        else walk(node, `${path}/${name}`)
      }
    }
    walk(this.#root, '')
    return found.sort((a, b) => (a.path < b.path ? -1 : 1))
  }

  #restore(directory: SimDirectory, mode: CutMode, chance: Prng): void {
    directory.entries.clear()
    for (const [name, node] of directory.durable) {
      directory.entries.set(name, node)
      if (node.kind === 'directory') {
        this.#restore(node, mode, chance)
      } else {
        node.cutPower(mode, chance)
        node.named = true
        this.usedBytes += node.bytes
      }
    }
  }

  grew(file: SimInode, bytes: number): void {
    if (file.named) this.usedBytes += bytes
  }

  #unname(file: SimInode): void {
    file.named = false
    this.usedBytes -= file.bytes
  }

  #change(node: SimNode, edits: readonly NameEdit[]): void {
    for (const edit of edits) applyEdit(edit, edit.directory.entries)
    this.#changes.push({ id: this.#nextId++, node, edits })
  }

  #place(path: string, operation: string): { directory: SimDirectory; name: string } {
    const cut = path.lastIndexOf('/')
    const name = path.slice(cut + 1)
    assert(name !== '', () => `${operation} needs a name: ${path}`)
    return { directory: this.directory(path.slice(0, cut), operation), name }
  }
}

function makeDurable(change: NameChange): void {
  for (const edit of change.edits) applyEdit(edit, edit.directory.durable)
}

function applyEdit(edit: NameEdit, entries: Map<string, SimNode>): void {
  if (edit.node === undefined) entries.delete(edit.name)
  else entries.set(edit.name, edit.node)
}

function split(path: string): string[] {
  assert(path === '' || path.startsWith('/'), () => `not an absolute path: ${path}`)
  return path.split('/').filter((name) => name !== '')
}
