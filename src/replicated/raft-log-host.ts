// The replicated logs of this node, over its Raft groups.

import { assert } from '../base/assert.ts'
import type { LogId, NodeId } from '../base/brand.ts'
import type { Host } from '../env/env.ts'
import type { MultiRaft } from '../multiraft/multiraft.ts'
import { RaftLog } from './raft-log.ts'
import type {
  Leader,
  LogHost,
  LogSpec,
  QuorumDescription,
  ReplicatedLog,
  TransferOutcome,
} from './replicated-log.ts'

export class RaftLogHost implements LogHost {
  readonly nodeId: NodeId
  readonly #node: MultiRaft
  readonly #host: Pick<Host, 'fatal'>
  readonly #logs = new Map<LogId, RaftLog>()
  readonly #opening = new Map<LogId, Promise<ReplicatedLog>>()
  #closed = false

  /** The node is opened before and closed after the host by its owner. */
  constructor(options: { readonly node: MultiRaft; readonly host: Pick<Host, 'fatal'> }) {
    this.#node = options.node
    this.nodeId = options.node.nodeId
    this.#host = options.host
  }

  get directoryId(): string {
    return this.#node.store.directoryId
  }

  isUp(node: NodeId): boolean {
    return node === this.nodeId || this.#node.isUp(node)
  }

  leaderOf(id: LogId): Leader | undefined {
    return this.#node.leaderOf(id)
  }

  inSync(id: LogId, replicas: readonly NodeId[]): readonly NodeId[] {
    return this.#node.inSync(id, replicas)
  }

  isFit(node: NodeId): boolean {
    return this.#node.isFit(node)
  }

  transferLeadership(id: LogId, to: NodeId): Promise<TransferOutcome> {
    return this.#node.transferLeadership(id, to)
  }

  describeQuorum(id: LogId): Promise<QuorumDescription | undefined> {
    return this.#node.describeQuorum(id)
  }

  get storageFull(): boolean {
    return this.#node.store.full
  }

  logs(): Iterable<ReplicatedLog> {
    return this.#logs.values()
  }

  get(id: LogId): ReplicatedLog | undefined {
    return this.#logs.get(id)
  }

  /** Fails with StoreError `storage-full` when a new log can't be created. A sole voter leads when it resolves. */
  open(spec: LogSpec): Promise<ReplicatedLog> {
    assert(!this.#closed, `open ${spec.id} on a closed host`)
    const open = this.#logs.get(spec.id)
    if (open !== undefined) return Promise.resolve(open)
    const opening = this.#opening.get(spec.id) ?? this.#open(spec)
    this.#opening.set(spec.id, opening)
    return opening
  }

  async #open({ id, directory, config, voters, clusterId }: LogSpec): Promise<ReplicatedLog> {
    try {
      const descriptor = { voters, ...(clusterId === undefined ? {} : { clusterId }) }
      const logs: RaftLog[] = []
      const group = await this.#node.open({ id, directory, config, descriptor }, (made) => {
        const log = new RaftLog(made, this.#host)
        logs.push(log)
        return log
      })
      const [log] = logs
      assert(log !== undefined && !this.#closed, `${id} opened while its host closed`)
      this.#logs.set(id, log)
      // A suspect by itself never leads (law R5).
      if (group.voters.length === 1 && !group.raft.suspect) await leadership(log)
      return log
    } finally {
      this.#opening.delete(id)
    }
  }

  configure(id: LogId, config: LogSpec['config']): void {
    this.#node.store.get(id)?.configure(config)
  }

  async drop(id: LogId): Promise<void> {
    const opening = this.#opening.get(id)
    if (opening !== undefined) await Promise.allSettled([opening])
    this.#logs.get(id)?.end()
    this.#logs.delete(id)
    this.#node.shut(id)
    if (this.#node.store.get(id) !== undefined) this.#node.store.drop(id)
    await this.#node.store.flush()
  }

  /** What was accepted becomes durable and, where a majority answers in time, is answered; the store stays open. */
  async close(): Promise<void> {
    if (this.#closed) return
    await Promise.allSettled(this.#opening.values())
    this.#closed = true
    for (const log of this.#logs.values()) log.refuseAppends()
    await this.#node.store.flush()
    for (const log of this.#logs.values()) log.end()
    this.#logs.clear()
  }
}

/** An election with one voter needs only its own disk. */
function leadership(log: RaftLog): Promise<void> {
  return new Promise((resolve) => {
    const established = (): boolean => log.role.kind === 'leader' && log.role.established
    if (established()) return resolve()
    const stop = log.observe({
      onRoleChanged: () => {
        if (!established()) return
        stop()
        resolve()
      },
      onClosed: resolve,
    })
  })
}
