// Mutants of consensus that no test can tell from the original, and why.

export const EQUIVALENT: Readonly<Record<string, string>> = {
  'raft/elections.ts /Elections/newTerm unset: this.#grant = undefined':
    'a grant of an earlier term is to one whom this replica did not vote for in this one, so that `hasVoted` holds it ' +
    'back, or it is replaced when the vote is given',
  "raft/roles.ts /Roles/onVoteRequest never: this.#role === 'leader'":
    'a leader has voted for itself in its term',
  'raft/following.ts /Following/newTerm unset: this.#acknowledged = undefined':
    'the first message of a leader asks for an answer, whatever was acknowledged before',
  'raft/following.ts /Following/newTerm unset: this.#acknowledgedLogStart = undefined':
    'the first message of a leader asks for an answer, whatever was acknowledged before',
  'raft/following.ts /Following/newTerm unset: this.#owed = false':
    'nothing is said before a leader verified something, and its first message asks for an answer',
  'raft/elections.ts /Elections/stand unset: this.#logStart = log.logStart':
    'a log start that was heard in an earlier candidacy is as good: what lies below it is committed, and one that is below ' +
    'the own log start moves nothing',
  'raft/roles.ts /Roles/becomeFollower no newTerm: this.#elections.newTerm()':
    'votes and requests are reset before each attempt, and a grant of an earlier term is held back by `hasVoted`',
  'raft/log-view.ts /LogView/holds never: position.epoch === this.#end.epoch':
    'a short way for the last epoch: the table says the same of it',
  'raft/log-view.ts /LogView/hasEpoch never: epoch === this.#end.epoch':
    'a short way for the last epoch: the table says the same of it',
  'raft/log-view.ts /LogView/endOf never: epoch === this.#end.epoch':
    'a short way for the last epoch: no later one is found, so that it ends with the log',
  'raft/log-view.ts /LogView/startsAfter never: epoch === this.#end.epoch':
    'a short way for the last epoch: no later start is found',
  'raft/log-view.ts /LogView/takeOps never: ops.length === 0':
    'saves making a list: an empty one of its own is as good as the one that all share',
  'raft/outbox.ts /Outbox/take always: this.#roleChanged':
    'saves making an object: effects of their own that ask for nothing are as good as those that all share',
  'raft/outbox.ts /Outbox/take never: this.#send.length === 0':
    'saves making an object: effects of their own that ask for nothing are as good as those that all share',
  'raft/outbox.ts /Outbox/take never: log.length === 0':
    'saves making an object: effects of their own that ask for nothing are as good as those that all share',
  'raft/outbox.ts /Outbox/take never: nothingElse':
    'saves making an object: effects of their own that ask for nothing are as good as those that all share',
  'raft/sending.ts /append always: log.holds(prev)':
    'where the logs are taken to agree was a position of this log when it was found; of those it loses only what lies ' +
    'below its start, which is asked first',
}
