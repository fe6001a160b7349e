// A node whose journal was damaged (law R5): what of it may begin anew, what it says while its replicas are suspects, and when
// all of them are there again, so that what it creates from then on is new.

import type { SuspectsView } from '../admin/cluster-admin.ts'
import type { Broker } from '../broker/broker.ts'
import type { MetadataView } from '../controller/controller.ts'
import { logIdOf, METADATA_LOG_ID } from '../controller/metadata-image.ts'
import type { Env, Timer } from '../env/env.ts'
import { decodeDescriptor } from '../multiraft/descriptor.ts'
import type { ReplicatedLog } from '../replicated/replicated-log.ts'
import type { JournalDamage, Store } from '../storage/store.ts'

/** Two others must vouch for what a replica forgot. */
const VOTERS_MIN = 3
const CHECK_MS = 1_000
const SAY_MS = 30_000

/** Why the node can't begin anew; undefined: it can. */
export function damageRefusal({ logs }: JournalDamage, nodesOfCluster: number): string | undefined {
  if (nodesOfCluster < VOTERS_MIN) {
    return nodesOfCluster === 1
      ? 'a node by itself has nobody to fetch its data from. Restore the directory from a copy; ' +
          '`chronik dump` shows what can still be read of it'
      : 'in a cluster of two nodes nobody can vouch for what this one has promised. Restore the directory from a copy'
  }
  const alone = logs.filter(({ descriptor }) => votersOf(descriptor) === 1)
  if (alone.length === 0) return undefined
  const only = [...new Set(alone.map(({ directory }) => directory.replace(/\.\d+$/, '')))]
  const named = only.slice(0, 5)
  const more = only.length > named.length ? ` and ${only.length - named.length} more` : ''
  return (
    `the only replica of ${named.join(', ')}${more} is here, so that its data could not be fetched from other nodes. ` +
    'Restore the directory from a copy'
  )
}

function votersOf(descriptor: Uint8Array): number {
  return decodeDescriptor(descriptor)?.voters.length ?? 1
}

/** Undefined: there are none. */
export function suspectsOf(store: Pick<Store, 'logs'>): SuspectsView | undefined {
  const suspects = [...store.logs()].filter(({ hardState }) => hardState.suspect)
  if (suspects.length === 0) return undefined
  const stuck = suspects.filter(({ descriptor }) => votersOf(descriptor) < VOTERS_MIN)
  return { replicas: suspects.length, stuck: stuck.length }
}

export interface SuspectsOptions {
  readonly env: Pick<Env, 'timers' | 'log' | 'host'>
  readonly store: Store
  readonly controller: Pick<MetadataView, 'image'>
  /** The metadata log. */
  readonly log: Pick<ReplicatedLog, 'highWatermark'>
  readonly broker: Pick<Broker, 'partitions'>
  readonly nodeId: number
}

export class Suspects {
  readonly #options: SuspectsOptions
  #timer: Timer | undefined
  /** As it was said last. */
  #said = -1
  #sinceSaidMs = 0
  /** The end of the metadata log, when it was first seen to be whole. */
  #healedTo = Infinity
  #closed = false

  private constructor(options: SuspectsOptions) {
    this.#options = options
  }

  /** Until everything is whole. */
  static watch(options: SuspectsOptions): Suspects {
    const suspects = new Suspects(options)
    suspects.#checkNow()
    return suspects
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  #checkNow(): void {
    const { host } = this.#options.env
    this.#check().catch((error: unknown) => host.fatal('suspects could not be looked at', error))
  }

  async #check(): Promise<void> {
    const { env, store } = this.#options
    if (store.suspect && this.#allThere()) await store.trust()
    if (this.#closed) return
    const suspects = [...store.logs()].filter(({ hardState }) => hardState.suspect)
    const stuck = suspects.filter(({ descriptor }) => votersOf(descriptor) < VOTERS_MIN)
    this.#say(suspects.length, stuck)
    if (suspects.length === 0 && !store.suspect) return
    this.#timer = env.timers.after(CHECK_MS, () => this.#checkNow())
  }

  /**
   * What had a replica here was created by what the metadata log had committed before: a replica of that log that is whole
   * again holds it.
   */
  #allThere(): boolean {
    const { store, controller, log, broker, nodeId } = this.#options
    const stored = store.get(METADATA_LOG_ID)
    if (stored === undefined || stored.durableHardState.term === 0) return false
    if (stored.durableHardState.suspect || stored.hardState.suspect) return false
    // What it was healed with lies below its end, and may not be known here to be committed yet.
    this.#healedTo = Math.min(this.#healedTo, stored.end.offset)
    const { topics, offset } = controller.image
    if (log.highWatermark < this.#healedTo || offset < log.highWatermark) return false
    for (const topic of topics.values()) {
      for (const { index, replicas, directories } of topic.partitions) {
        const here = replicas.some((id, i) => id === nodeId && directories[i] === store.directoryId)
        if (
          here &&
          (broker.partitions.get(topic.name, index) === undefined ||
            store.get(logIdOf(topic, index)) === undefined)
        ) {
          return false
        }
      }
    }
    return true
  }

  #say(count: number, stuck: readonly { readonly id: string }[]): void {
    const { env } = this.#options
    this.#sinceSaidMs += CHECK_MS
    if (count === this.#said && (count === 0 || this.#sinceSaidMs < SAY_MS)) return
    const before = this.#said
    this.#said = count
    this.#sinceSaidMs = 0
    if (count === 0) {
      if (before > 0) env.log.info('all replicas of this node are whole again')
      return
    }
    env.log.warn(
      'replicas of this node are suspects: they neither vote nor count until they are healed',
      {
        suspects: count,
      },
    )
    if (stuck.length === 0) return
    env.log.error(
      'suspects of groups with fewer than three voters stay suspects: nobody can vouch for what they have promised',
      {
        count: stuck.length,
        logs: stuck
          .slice(0, 5)
          .map(({ id }) => id)
          .join(', '),
      },
    )
  }
}
