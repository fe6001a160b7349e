// Whether the disks of the nodes answer (law R8): a node whose journal has not synced for a while is unfit, not dead. It says so in
// its status, does not campaign, and hands its leaderships to nodes that are fit, where there are any that hold everything.

import type { NodeId } from '../base/brand.ts'
import type { Clock, Timer, Timers } from '../env/env.ts'

const PROBE_MS = 250
const STALLED_MS = 1_000

/** Status of a node: u8 version, u8 flags. Versions may append to it. */
const STATUS_VERSION = 1
const UNFIT = 1

export interface FitnessOptions {
  readonly clock: Clock
  readonly timers: Timers
  /** Resolves when everything that was written is durable. */
  readonly flush: () => Promise<void>
  /** Of this node. */
  readonly onChanged: (fit: boolean) => void
  /** With every probe while this node is unfit, beginning at once. */
  readonly onUnfit: () => void
  readonly say: (status: Uint8Array) => void
}

export class Fitness {
  readonly #options: FitnessOptions
  readonly #unfitPeers = new Set<NodeId>()
  #probing: Timer | undefined
  /** When the flush that is out was asked for. */
  #askedMs: number | undefined
  #stalled = false
  #leaving = false
  #told = true
  #closed = false

  constructor(options: FitnessOptions) {
    this.#options = options
  }

  /** Of this node. */
  get fit(): boolean {
    return !this.#stalled && !this.#leaving
  }

  /** By what the peer said last. */
  isPeerFit(peer: NodeId): boolean {
    return !this.#unfitPeers.has(peer)
  }

  start(): void {
    this.#say()
    this.#probe()
  }

  /** It is about to stop: from now on it takes no leadership. */
  leave(): void {
    this.#leaving = true
    this.#check()
  }

  onStatus(peer: NodeId, status: Uint8Array): void {
    const [version = 0, flags = 0] = status
    if (version >= STATUS_VERSION && (flags & UNFIT) !== 0) this.#unfitPeers.add(peer)
    else this.#unfitPeers.delete(peer)
  }

  peerDown(peer: NodeId): void {
    this.#unfitPeers.delete(peer)
  }

  close(): void {
    this.#closed = true
    this.#probing?.cancel()
  }

  #probe(): void {
    const { timers, clock, flush } = this.#options
    this.#probing = timers.after(PROBE_MS, () => this.#probe())
    const nowMs = clock.monotonicMs()
    if (this.#askedMs === undefined) {
      this.#askedMs = nowMs
      // What fails to become durable ends the process where it is written.
      void flush().then(() => {
        this.#askedMs = undefined
        this.#stalled = false
        this.#check()
      })
    } else if (nowMs - this.#askedMs >= STALLED_MS) {
      this.#stalled = true
    }
    this.#check()
  }

  #check(): void {
    if (this.#closed) return
    const { fit } = this
    if (fit !== this.#told) {
      this.#told = fit
      this.#say()
      this.#options.onChanged(fit)
    }
    if (!fit) this.#options.onUnfit()
  }

  #say(): void {
    this.#options.say(Uint8Array.of(STATUS_VERSION, this.fit ? 0 : UNFIT))
  }
}
