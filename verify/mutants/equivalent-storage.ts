// Mutants that no test can tell from the original, and why.

export const EQUIVALENT: Readonly<Record<string, string>> = {
  'committer.ts /Committer/takeTruncate always: offset < state.fileEnd':
    'where the cut is at or above the end of the files, the loop finds no segment and nothing is cleaned up; ' +
    'tails wait one frame longer for their writeback, that is all',
  'find-damage.ts /nextMagic never: found - MAGIC_AT + BATCH_HEADER_BYTES > block.length':
    'what would begin at a header cut off by the end of the block is read anew and checked whole before it is ' +
    'believed, and where it is not, the next block begins before it',
  'local-store.ts /LocalStore/close no wait for checkpoint: await this.#maintenance.checkpoint()':
    'the call after it, `Maintenance.close`, waits for the checkpoint that is being written',
  'log-state.ts /LogState/truncate always: offset < this.fileEnd':
    'where the cut is at or above the end of the files, no segment begins or ends above it, so that none is removed or cut',
}
