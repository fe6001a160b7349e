// Mutants of what carries consensus out on a node that no test can tell from the original, and why.

export const EQUIVALENT: Readonly<Record<string, string>> = {
  'multiraft/formation.ts /Formation/makeOwn always: error instanceof Error':
    'whatever writes a cluster down fails with an Error',
  'multiraft/formation.ts /Formation/settled unset: this.#failed = undefined':
    'a promise that is settled stays as it is',
  'multiraft/formation.ts /decodeStatus always: isRecord(value)':
    'what is no object has no version, and is refused for that',
  'multiraft/formation.ts /decodeStatus always: isRecord(formed)':
    'what is no object has no cluster id, and is refused for that',
  "multiraft/formation.ts /isRecord always: typeof value === 'object'":
    'what is no object has no fields, and is refused for that',
  'multiraft/formation.ts /isPairs always: Array.isArray(value)':
    'what is no array has no `every`: that throws, as the refusal does',
  "multiraft/group.ts /RaftGroup/receive always: message.kind === 'append'":
    'no other message has bytes',
  "multiraft/group.ts /RaftGroup/receive always: message.kind === 'install'":
    'no other message has a snapshot',
  ['multiraft/group.ts /RaftGroup/carryOut exchanged: ' +
  'this.stored.snapshots.settled(effects.committed) … this.#listener.onCommitted(effects.committed)']:
    'what is settled is looked at once a snapshot was written, in a later turn',
  'multiraft/group.ts /RaftGroup/receive unset: this.#receiving = undefined':
    'the next message replaces it; until then only its memory is held',
  'multiraft/group.ts /RaftGroup/append always: error instanceof StoreError':
    'no other error has such a code',
  'multiraft/group.ts /RaftGroup/step always: this.#raft.deadlineMs !== before':
    'the node hears again what it knows',
  'multiraft/incoming-install.ts /IncomingInstall/take unset: this.#gathering = undefined #2':
    'what is whole is continued by no piece; until the next begins only its memory is held',
  'multiraft/liveness/liveness.ts /Liveness/measure one more: this.#intervalMs / 2':
    'how late is late is a choice: a millisecond more or less is as good',
  'multiraft/liveness/liveness.ts /Liveness/measure one fewer: this.#intervalMs / 2':
    'how late is late is a choice: a millisecond more or less is as good',
  'multiraft/liveness/liveness.ts /Liveness/onTick one more: this.#intervalMs / 2':
    'how late is late is a choice: a millisecond more or less is as good',
  'multiraft/liveness/liveness.ts /Liveness/onTick one fewer: this.#intervalMs / 2':
    'how late is late is a choice: a millisecond more or less is as good',
  'multiraft/liveness/liveness.ts /Liveness/onTick one more: this.#electionTimeoutMs / 2':
    'how late is late is a choice: a millisecond more or less is as good',
  'multiraft/liveness/liveness.ts /Liveness/onTick one fewer: this.#electionTimeoutMs / 2':
    'how late is late is a choice: a millisecond more or less is as good',
  'multiraft/liveness/read-rounds.ts /ReadRounds/advanced always: waiter.voters.includes(node)':
    'an answer of one who is no voter confirms nothing',
  'multiraft/liveness/versioned-list.ts /VersionedList/change always: this.#changes.length > 2 * this.#entries.size + 32':
    'it only says how often what was replaced is let go',
  'multiraft/liveness/versioned-list.ts /VersionedList/change never: this.#changes.length > 2 * this.#entries.size + 32':
    'what was replaced is passed over: letting it go only saves memory and time',
  ['multiraft/liveness/versioned-list.ts /VersionedList/change unset: ' +
  'this.#changes = this.#changes.filter((change) => this.#isCurrent(change))']:
    'what was replaced is passed over: letting it go only saves memory and time',
  'multiraft/multiraft.ts /MultiRaft/groupsWith always: group.voters.some(({ nodeId }) => nodeId === peer)':
    'a group takes no notice of a node that is none of its voters',
  'multiraft/multiraft.ts /MultiRaft/groupsWith always: nodeId === peer':
    'a group takes no notice of a node that is none of its voters',
  'multiraft/multiraft.ts /MultiRaft/tick never: deadlineMs > now':
    'a group that is woken too early does nothing; it only takes the place of another in this tick',
  'multiraft/multiraft.ts /MultiRaft/open never: suspect': 'what is suspect is saved as it is',
  'multiraft/replication.ts /Replication/sendAppend always: bytes > 0':
    'what has no bytes takes nothing of the window',
  'multiraft/replication.ts /Replication/pumpTo never: plan.below === plan.from':
    'a read of nothing, at the end of the log, answers with nothing, from memory',
}
