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
}
