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
}
