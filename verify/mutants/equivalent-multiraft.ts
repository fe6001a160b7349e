// Mutants of what carries consensus out on a node that no test can tell from the original, and why.

export const EQUIVALENT: Readonly<Record<string, string>> = {
  "multiraft/group.ts /RaftGroup/receive always: message.kind === 'append'":
    'no other message has bytes',
  'multiraft/group.ts /RaftGroup/receive unset: this.#receiving = undefined':
    'the next message replaces it; until then only its memory is held',
  'multiraft/group.ts /RaftGroup/append always: error instanceof StoreError':
    'no other error has such a code',
  'multiraft/group.ts /RaftGroup/step always: this.#raft.deadlineMs !== before':
    'the node hears again what it knows',
  'multiraft/group.ts /RaftGroup/settleLogStarts never: this.#logStartWaiters.length === 0':
    'where nobody waits there is nobody to settle: it only saves the counting',
  'multiraft/replication.ts /Replication/pumpTo never: plan.below === plan.from':
    'a read of nothing, at the end of the log, answers with nothing, from memory',
}
