// TCP links between the nodes' Raft ports. Each node is told that its peers are at its own links, so a link knows who speaks to
// whom. A cut direction loses nothing and delivers nothing, as a network that drops packets does to a TCP connection: the
// bytes wait, and travel on after the healing. A connection can't be opened while either direction is cut.

import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'

export interface LinkPorts {
  raftPort(id: number): number
  linkPort(from: number, to: number): number
}

/** One connection: `here` was opened by the dialling node, `there` leads to the other one. */
interface Pair {
  readonly dialler: number
  readonly target: number
  readonly here: Socket
  there: Socket | undefined
}

export class Links {
  readonly #ids: readonly number[]
  readonly #ports: LinkPorts
  readonly #servers: Server[] = []
  readonly #pairs = new Set<Pair>()
  /** `from to`: bytes of `from` do not reach `to`. */
  readonly #cut = new Set<string>()

  constructor(ids: readonly number[], ports: LinkPorts) {
    this.#ids = ids
    this.#ports = ports
  }

  /** Where `from` finds `to`; a node finds itself at its own port. */
  portOf(from: number, to: number): number {
    return from === to ? this.#ports.raftPort(to) : this.#ports.linkPort(from, to)
  }

  async open(): Promise<void> {
    for (const from of this.#ids) {
      for (const to of this.#ids) if (from !== to) await this.#listen(from, to)
    }
  }

  /** What `from` sends does not reach `to` any more. */
  cut(from: number, to: number): void {
    this.#cut.add(`${from} ${to}`)
    this.#apply()
  }

  /** Both directions between the node and all others. */
  isolate(id: number): void {
    for (const other of this.#ids) {
      if (other === id) continue
      this.#cut.add(`${id} ${other}`)
      this.#cut.add(`${other} ${id}`)
    }
    this.#apply()
  }

  heal(): void {
    this.#cut.clear()
    this.#apply()
  }

  async close(): Promise<void> {
    for (const { here, there } of this.#pairs) {
      here.destroy()
      there?.destroy()
    }
    await Promise.all(
      this.#servers.map((server) => new Promise((resolve) => server.close(resolve))),
    )
  }

  #listen(dialler: number, target: number): Promise<void> {
    const server = createServer({ noDelay: true, pauseOnConnect: true }, (here) => {
      const pair: Pair = { dialler, target, here, there: undefined }
      this.#pairs.add(pair)
      here.on('error', () => this.#end(pair))
      here.on('close', () => this.#end(pair))
      this.#applyTo(pair)
    })
    this.#servers.push(server)
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#ports.linkPort(dialler, target), '127.0.0.1', () => resolve())
    })
  }

  #isCut(from: number, to: number): boolean {
    return this.#cut.has(`${from} ${to}`)
  }

  #apply(): void {
    for (const pair of this.#pairs) this.#applyTo(pair)
  }

  #applyTo(pair: Pair): void {
    const { dialler, target, here } = pair
    const outward = this.#isCut(dialler, target)
    const inward = this.#isCut(target, dialler)
    if (here.destroyed || pair.there?.destroyed === true) {
      this.#end(pair)
      return
    }
    if (pair.there === undefined) {
      if (outward || inward) return
      pair.there = this.#dial(pair)
    }
    flow(here, pair.there, !outward)
    flow(pair.there, here, !inward)
  }

  #dial(pair: Pair): Socket {
    const there = connect({
      port: this.#ports.raftPort(pair.target),
      host: '127.0.0.1',
      noDelay: true,
    })
    there.on('error', () => this.#end(pair))
    there.on('close', () => this.#end(pair))
    return there
  }

  /** A process that ended is noticed at its end of the link; the other end hears of it unless that direction is cut. */
  #end(pair: Pair): void {
    const { dialler, target } = pair
    if (this.#isCut(dialler, target) || this.#isCut(target, dialler)) return
    this.#pairs.delete(pair)
    pair.here.destroy()
    pair.there?.destroy()
  }
}

function flow(from: Socket, to: Socket, open: boolean): void {
  from.unpipe(to)
  if (open) from.pipe(to)
  else from.pause()
}
