// What operators may ask of a cluster and tell it to do, as the node implements it. HTTP (`cluster-api.ts`) is one way to
// it; nothing here knows about HTTP.

/** The cluster as the asked node sees it; every call answers from memory. */
export interface ClusterAdmin {
  view(): ClusterView
  topics(): Iterable<string>
  /** By index. Empty for a topic that does not exist. */
  partitionsOf(topic: string): readonly PartitionView[]

  /** Hands one partition's leadership over. Resolves when the new leader has taken it, or it is known that none did. */
  transferLeader(request: TransferRequest): Promise<AdminResult<TransferDone>>

  /**
   * Every leadership leaves that node, paced, and none returns until `undrain`: an intent in the cluster's metadata, which
   * outlives restarts. Resolves once the intent is committed; `view().nodes` shows how many leaderships are left.
   */
  drain(nodeId: number): Promise<AdminResult<DrainAccepted>>
  undrain(nodeId: number): Promise<AdminResult<DrainAccepted>>
}

export interface ClusterView {
  readonly clusterId: string
  /** The node that answers. */
  readonly nodeId: number
  readonly controller: {
    /** Null: none is known. */
    readonly leader: number | null
    readonly epoch: number
  }
  readonly nodes: readonly NodeView[]
  /** Only while there are any. */
  readonly suspects?: SuspectsView
}

/** Replicas of the asked node that neither vote nor count until they are healed, since its disk was damaged. */
export interface SuspectsView {
  readonly replicas: number
  /** Of these, such that stay so: groups of fewer than three voters have nobody to vouch for what was forgotten. */
  readonly stuck: number
}

export interface NodeView {
  readonly nodeId: number
  readonly rack: string | null
  /** Heard of within the election timeout, by the asked node. */
  readonly up: boolean
  /** Of the running process, as far as known. */
  readonly bootId: string | null
  readonly draining: boolean
  /** `host:port`, as advertised; by listener name. */
  readonly kafka: Readonly<Record<string, string>>
  readonly raft: string | null
  readonly http: string | null
}

export interface PartitionView {
  readonly partition: number
  /** Null: none is known. */
  readonly leader: number | null
  readonly leaderEpoch: number
  /** The preferred leader first. */
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  /** `min.insync.replicas` in force. */
  readonly minInSync: number
  /** Null where the asked node holds no replica. */
  readonly highWatermark: number | null
  /** The end of that replica's log, exclusive. */
  readonly logEnd: number | null
}

export interface TransferRequest {
  readonly topic: string
  readonly partition: number
  /** Absent: the preferred replica, or the most caught up one where that leads already. */
  readonly to?: number
}

export interface TransferDone {
  readonly leader: number
  readonly leaderEpoch: number
}

export interface DrainAccepted {
  /** Leaderships that the node has now, as far as the asked node knows. */
  readonly leaderships: number
}

export type AdminResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: AdminError }

export interface AdminError {
  readonly code: AdminErrorCode
  /** For a person: what is wrong, and what to do where there is something. */
  readonly message: string
  /** With `NOT_LEADER`: the node to ask instead, where known. */
  readonly nodeId?: number
}

export type AdminErrorCode =
  | 'UNKNOWN_TOPIC_OR_PARTITION'
  | 'UNKNOWN_NODE'
  /** The target holds no replica of the partition. */
  | 'NOT_A_REPLICA'
  /** The target is down, not caught up, or its disk is unfit: to hand over would stop the partition. */
  | 'TARGET_UNFIT'
  /** The asked node can't do it itself and does not pass it on. */
  | 'NOT_LEADER'
  /** Nobody leads: there is no majority. */
  | 'NO_LEADER'
  /** It is not known whether it happened; to ask again does no harm. */
  | 'TIMED_OUT'

/** Whether the node serves clients: it holds the metadata, and knows a controller with a majority. */
export type Readiness =
  | { readonly ready: true }
  | { readonly ready: false; readonly reason: string }
