// What the model checker is given: the bounds under which the sound rules are checked, and the rules that are broken one at
// a time, each with bounds (and, where the error lies deep, first steps) under which it must be found.

/** A step of Replication.tla: its action and arguments. */
export type Step = readonly [action: string, ...args: (string | number)[]]

export interface Bounds {
  readonly voters: 3 | 5
  readonly epochs: number
  /** Records in a log. */
  readonly records: number
  /** Journal records of a node that wait for a sync. */
  readonly unsynced: number
  readonly damages: number
  /** Whether a follower's writes wait for a sync of their own. */
  readonly slowFollowers: boolean
  /** Whether replicas begin anew where the leader removed tombstones. */
  readonly compacted?: boolean
}

export interface Variant {
  readonly name: string
  readonly law: string
  /** What is done instead of the rule. */
  readonly breaks: string
  readonly bounds: Bounds
  /** The behaviours searched begin with these. */
  readonly script: readonly Step[]
}

const small: Bounds = {
  voters: 3,
  epochs: 2,
  records: 1,
  unsynced: 2,
  damages: 0,
  slowFollowers: false,
}

/** Within these bounds the sound rules are checked. */
export interface Scope {
  readonly bounds: Bounds
  /** Random behaviours, so many, where all of them are too many; each of up to `depthMax` steps, always the same. */
  readonly random?: number
}

export const depthMax = 50

/** Checked on every run. */
export const soundScopes: readonly Scope[] = [
  { bounds: { ...small, epochs: 3 } },
  { bounds: { ...small, slowFollowers: true } },
  { bounds: { ...small, unsynced: 1, damages: 1 } },
  { bounds: { ...small, unsynced: 1, compacted: true } },
  { bounds: { ...small, slowFollowers: true, unsynced: 1, compacted: true } },
  { bounds: { ...small, voters: 5, epochs: 3, records: 2, damages: 2 }, random: 500 },
]

/** Checked with `--large`. */
export const largeScopes: readonly Scope[] = [
  { bounds: { ...small, epochs: 4, unsynced: 1 } },
  { bounds: { ...small, epochs: 3, records: 2 } },
  { bounds: { ...small, epochs: 3, slowFollowers: true } },
  { bounds: { ...small, epochs: 3, unsynced: 1, damages: 1 } },
  { bounds: { ...small, epochs: 3, unsynced: 1, compacted: true } },
  { bounds: { ...small, unsynced: 1, damages: 1, compacted: true } },
  { bounds: { ...small, voters: 5, unsynced: 1 } },
  { bounds: { ...small, voters: 5, epochs: 4, records: 2, damages: 3 }, random: 100_000 },
]

/** a leads epoch 1 and alone holds a record; c leads epoch 2 without it; a leads again, in epoch 3. b voted each time. */
const threeLeaders: readonly Step[] = [
  ['Vote', 'b', 'a', 1],
  ['Produce', 'a'],
  ['Vote', 'b', 'c', 2],
  ['Vote', 'b', 'a', 3],
]

export const variants: readonly Variant[] = [
  {
    name: 'vote-not-persisted',
    law: 'R2',
    breaks: 'a vote leaves before it is durable',
    bounds: small,
    script: [],
  },
  {
    name: 'leader-counts-unsynced',
    law: 'R2',
    breaks: 'a leader counts itself before its sync',
    bounds: small,
    script: [],
  },
  {
    name: 'follower-acks-unsynced',
    law: 'R2',
    breaks: 'a follower acknowledges before its sync',
    bounds: { ...small, slowFollowers: true },
    script: [],
  },
  {
    name: 'votes-by-offset',
    law: 'R1',
    breaks: 'votes compare the offset alone, not the position',
    bounds: { ...small, epochs: 3, records: 2, unsynced: 1 },
    script: [],
  },
  {
    name: 'epoch-start-not-durable',
    law: 'R2',
    breaks: 'an acknowledgement waits for the bytes, not for the epoch start',
    bounds: { ...small, epochs: 4, slowFollowers: true },
    script: threeLeaders,
  },
  {
    name: 'commit-older-epoch',
    law: 'R2',
    breaks: 'a position commits that a majority holds, though none acknowledged the own epoch',
    bounds: { ...small, epochs: 4 },
    script: threeLeaders,
  },
  {
    name: 'acks-of-any-epoch',
    law: 'R2',
    breaks: 'a leader counts acknowledgements that were given in other epochs',
    bounds: { ...small, voters: 5, epochs: 4 },
    script: [
      ['Vote', 'b', 'a', 1],
      ['Vote', 'c', 'a', 1],
      ['Sync', 'a'],
      ['Produce', 'a'],
      ['Sync', 'a'],
      ['Vote', 'c', 'e', 2],
      ['Vote', 'd', 'e', 2],
      ['Receive', 'b', 1, 2],
      ['Vote', 'c', 'b', 3],
      ['Vote', 'd', 'b', 3],
    ],
  },
  {
    name: 'durable-votes-late-acks',
    law: 'R2',
    breaks: 'votes compare the durable end, and an acknowledgement leaves after a change of term',
    bounds: { ...small, slowFollowers: true },
    script: [],
  },
  {
    name: 'truncate-to-message-end',
    law: 'R1',
    breaks: "a follower's log is cut where a message ends, conflict or not",
    bounds: small,
    script: [],
  },
  {
    name: 'truncate-by-offset',
    law: 'R1',
    breaks: 'a follower cuts its log to an offset before it appends: epoch starts there go too',
    bounds: small,
    script: [],
  },
  {
    name: 'drop-empty-epochs',
    law: 'R1',
    breaks: 'recovery drops the starts of epochs that got no data',
    bounds: { ...small, epochs: 4 },
    script: threeLeaders,
  },
  {
    name: 'commit-from-log-end',
    law: 'R9',
    breaks: "a follower's commit is min(leader's, own end), whatever its last epoch",
    bounds: { ...small, epochs: 3, unsynced: 1 },
    script: [],
  },
  {
    name: 'suspect-votes',
    law: 'R5',
    breaks: 'a damaged replica cuts its log and goes on as if nothing had happened',
    bounds: { ...small, damages: 1 },
    script: [],
  },
  {
    name: 'acks-survive-damage',
    law: 'R5',
    breaks: 'a leader that meets a suspect still counts what it acknowledged before',
    bounds: { ...small, damages: 1 },
    script: [
      ['Vote', 'b', 'a', 1],
      ['Sync', 'a'],
      ['Receive', 'c', 1, 1],
      ['Commit', 'a', 1],
      ['Produce', 'a'],
      ['Receive', 'b', 1, 2],
      ['Damage', 'b', 0],
    ],
  },
  {
    name: 'heal-by-acknowledging-again',
    law: 'R5',
    breaks: 'a suspect is whole when it has acknowledged something in the same epoch again',
    bounds: { ...small, damages: 1 },
    script: [
      ['Vote', 'b', 'a', 1],
      ['Sync', 'a'],
      ['Produce', 'a'],
      ['Sync', 'a'],
      ['Receive', 'c', 1, 1],
      ['Receive', 'b', 1, 2],
      ['Damage', 'b', 0],
    ],
  },
  {
    name: 'heal-with-a-majority',
    law: 'R5',
    breaks:
      'a suspect is whole with a majority beside it: not every other voter was asked its term',
    bounds: { ...small, voters: 5, damages: 1 },
    script: [
      ['Vote', 'b', 'a', 1],
      ['Vote', 'c', 'a', 1],
      ['Sync', 'a'],
      ['Receive', 'b', 1, 1],
      ['Receive', 'c', 1, 1],
      ['Receive', 'd', 1, 1],
      ['Receive', 'e', 1, 1],
      ['Commit', 'a', 1],
      ['Vote', 'd', 'e', 2],
      ['Damage', 'd', 0],
      ['Receive', 'd', 1, 1],
      ['Meet', 'a', 'd'],
      ['Answer', 'a', 'd', 'b'],
      ['Answer', 'a', 'd', 'c'],
      ['Heal', 'a', 'd', 1],
      ['Sync', 'd'],
      ['Produce', 'a'],
      ['Sync', 'a'],
    ],
  },
  {
    name: 'grant-names-no-candidacy',
    law: 'R5',
    breaks: 'a candidate counts a grant that answers a request from before its damage',
    bounds: { ...small, damages: 1 },
    script: [
      ['Vote', 'b', 'a', 1],
      ['Sync', 'a'],
      ['Receive', 'c', 1, 1],
      ['Commit', 'a', 1],
      ['Produce', 'a'],
      ['Sync', 'a'],
      ['Receive', 'b', 1, 2],
      ['Campaign', 'b', 2],
      ['Damage', 'b', 0],
      ['Receive', 'b', 1, 1],
      ['Meet', 'a', 'b'],
      ['Answer', 'a', 'b', 'c'],
      ['Heal', 'a', 'b', 1],
      ['Sync', 'b'],
    ],
  },
  {
    name: 'begin-anew-in-any-case',
    law: 'R10',
    breaks: 'a replica begins its log anew though it holds what the leader asks for',
    bounds: { ...small, compacted: true },
    script: [],
  },
]
