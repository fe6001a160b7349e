// What can be taken apart: which files, which places in them, and which tests are to notice.

import { EQUIVALENT as EQUIVALENT_MULTIRAFT } from './equivalent-multiraft.ts'
import { EQUIVALENT as EQUIVALENT_RAFT } from './equivalent-raft.ts'
import { EQUIVALENT as EQUIVALENT_STORAGE } from './equivalent-storage.ts'

/** Which places of a source file are broken, and how. */
export interface Rules {
  /** Calls that are left out, and, where they are awaited, not waited for. */
  readonly calls: ReadonlySet<string>
  /** Comparisons of these always or never hold. */
  readonly comparisons: RegExp
  /** So does every condition of an `if`, a `?:`, an `&&`, an `||` or a `!`. Loops end as they do. */
  readonly conditions: boolean
  /** Assignments to fields, outside constructors, are left out. */
  readonly assignments: boolean
  /** Statements of these functions change places, two at a time. */
  readonly ordered: ReadonlySet<string>
  /** A majority is one more or one fewer; the lesser or greater of two is the one or the other. */
  readonly counts: boolean
}

/** Tests that are run together; the next stage comes once they have passed. */
export type Stage =
  | {
      readonly kind: 'unit'
      /** Folder, and which of its tests. */
      readonly tests: readonly { readonly folder: string; readonly only: RegExp }[]
      /** Of the tests, only those; all if it is left out. */
      readonly named?: string
      readonly environment?: Readonly<Record<string, string>>
      /** Only for mutants of these files; all if it is left out. */
      readonly files?: RegExp
      readonly timeoutMs: number
    }
  | { readonly kind: 'fuzz'; readonly timeoutMs: number }

export interface Target {
  readonly name: string
  /** Of its table in docs/. */
  readonly table: string
  readonly head: string
  /** Sources are named from here on. */
  readonly base: string
  readonly sources: readonly { readonly folder: string; readonly only: RegExp }[]
  /** What a mutated tree has as copies; the rest is links. */
  readonly copies: readonly string[]
  readonly rules: Rules
  readonly stages: readonly Stage[]
  readonly equivalent: Readonly<Record<string, string>>
}

const STORAGE: Target = {
  name: 'storage',
  table: 'docs/mutants.md',
  head: `# Mutants of the storage

What \`npm run mutants -- --write\` found, and what it tries first the next time. Each line is one change to \`src/storage\`: a call that
makes something durable left out or not waited for, a truncation left out, or a comparison of CRCs, sequence numbers,
generations, epochs or versions that always or never holds. Beside it stands the test that fails on it: a unit test of
the room, or a seed of the storage fuzz (\`npm run fuzz -- --seed N\`).
`,
  base: 'src/storage',
  // Not what only prints a stopped store's files.
  sources: [{ folder: 'src/storage', only: /^(?!dump)/ }],
  copies: ['src/storage', 'verify/storage'],
  rules: {
    // Without them something is not on the disk when it must be, or is there when it must not, or is not checked.
    calls: new Set([
      'sync',
      'syncDirectory',
      'truncate',
      'whenDurable',
      'rename',
      'commit',
      'flush',
      'checkpoint',
      'fatal',
      'rewrite',
      'syncParents',
      'refuseData',
      'writeIdentity',
      'writeCheckpoint',
      'loadTails',
      'matchFiles',
      'checkNothingAfter',
      'checkEpochs',
    ]),
    comparisons:
      /crc|lsn|generation|sequence|epoch|incarnation|version|magic|truncations|cuts|comparePositions|fileEnd|keptBytes|segment\.bytes/i,
    conditions: false,
    assignments: false,
    ordered: new Set(),
    counts: false,
  },
  // The unit tests take some two seconds, a seed of the fuzz some 60 ms.
  stages: [
    {
      kind: 'unit',
      tests: [{ folder: 'src/storage', only: /^/ }],
      timeoutMs: 60_000,
    },
    { kind: 'fuzz', timeoutMs: 300_000 },
  ],
  equivalent: EQUIVALENT_STORAGE,
}

/** Not what only moves bytes between nodes. */
const MULTIRAFT = /^(?!(calls|descriptor|frames|group-codec|group-id|methods|options|observer)\.)/

const RAFT: Target = {
  name: 'raft',
  table: 'docs/mutants-raft.md',
  head: `# Mutants of consensus

What \`npm run mutants -- --target raft --write\` found, and what it tries first the next time. Each line is one change to \`src/raft\`, or
to what of \`src/multiraft\` carries out what it asks for and says who lives and leads: a condition that always or never holds; a vote, a
truncation, a commit, a refusal or another step of the protocol left out; a state that is not set, or not reset at a
change of term; a majority of one more or one fewer; two steps of an ordered sequence that change places. Beside it stands the test
that fails on it.
`,
  base: 'src',
  sources: [
    { folder: 'src/raft', only: /^/ },
    { folder: 'src/multiraft', only: MULTIRAFT },
    { folder: 'src/multiraft/liveness', only: /^(?!heartbeat|liveness-options)/ },
  ],
  copies: ['src/raft', 'src/multiraft'],
  rules: {
    calls: new Set([
      'saveHardState',
      'setCommit',
      'advanceLogStart',
      'cut',
      'truncate',
      'install',
      'startEpoch',
      'replaced',
      'reached',
      'logReached',
      'newTerm',
      'ledBy',
      'becomeFollower',
      'setRole',
      'setLeader',
      'loseLeader',
      'requestVotes',
      'askVote',
      'askPreVote',
      'sayGrant',
      'acknowledge',
      'acknowledged',
      'mismatch',
      'mismatched',
      'mustInstall',
      'meetSuspect',
      'forgetSent',
      'forget',
      'forgetAll',
      'probe',
      'down',
      'up',
      'peerUp',
      'peerDown',
      'checkQuorum',
      'advance',
      'verify',
      'commitTo',
      'wait',
      'retry',
      'again',
      'rest',
      'leaderLost',
      'expectClaim',
      'claim',
      'unclaim',
      'vouch',
      'termChanged',
      'failLogStarts',
      'settleLogStarts',
      'logStartMoved',
      'markDirty',
      'flush',
      'stepAside',
      'heal',
      'healed',
      'fitness',
      'fail',
      'adopt',
      'sayTo',
      'replicate',
    ]),
    comparisons: /(?!)/,
    conditions: true,
    assignments: true,
    ordered: new Set(['carryOut']),
    counts: true,
  },
  // Each takes about a second, the last ten and more. Consensus knows nothing of the groups on a node, whose tests rely on it.
  stages: [
    {
      kind: 'unit',
      tests: [{ folder: 'src/raft', only: /^(?!random)/ }],
      files: /^raft\//,
      timeoutMs: 10_000,
    },
    {
      kind: 'unit',
      tests: [{ folder: 'src/multiraft', only: /^(?!multiraft)/ }],
      files: /^multiraft\/[^/]+$/,
      timeoutMs: 15_000,
    },
    {
      kind: 'unit',
      tests: [{ folder: 'src/multiraft/liveness', only: /^/ }],
      files: /^multiraft\/liveness\//,
      timeoutMs: 60_000,
    },
    {
      kind: 'unit',
      tests: [{ folder: 'src/raft', only: /^random/ }],
      named: '\\d+ random schedules',
      environment: { RAFT_SEEDS: '12' },
      files: /^raft\//,
      timeoutMs: 60_000,
    },
    {
      kind: 'unit',
      tests: [{ folder: 'src/multiraft', only: /^multiraft-node/ }],
      files: /^multiraft\/multiraft/,
      timeoutMs: 90_000,
    },
    {
      kind: 'unit',
      tests: [{ folder: 'src/multiraft', only: /^multiraft\./ }],
      files: /^multiraft\/multiraft/,
      timeoutMs: 120_000,
    },
  ],
  equivalent: { ...EQUIVALENT_RAFT, ...EQUIVALENT_MULTIRAFT },
}

export const TARGETS: Readonly<Record<string, Target>> = { storage: STORAGE, raft: RAFT }
