// Compiled code that outlives the process: it saves a third of the processor time of a start. Whoever can write there decides
// what we run, and Node's own default is one directory for all users of the machine, in which another could have put
// something before us. So ours is private, and where it can't be had there is none.

// The whole module: an older Node, which must still get as far as being refused, lacks the names.
import module from 'node:module'
import { lstatSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Beside the temporary files, so that it needs no home directory and goes when they go. */
export function compileCacheDirectory(temporary: string, uid: number | undefined): string {
  return join(temporary, uid === undefined ? 'chronik-compiled' : `chronik-compiled-${uid}`)
}

/** False where it is not there, can't be made, or others may write to it. */
export function isPrivateDirectory(path: string, uid: number | undefined): boolean {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    const stat = lstatSync(path)
    // Where there are no user ids, the temporary directory is the user's own.
    return (
      stat.isDirectory() && (uid === undefined || (stat.uid === uid && (stat.mode & 0o022) === 0))
    )
  } catch {
    return false
  }
}

/** For what is loaded from here on. NODE_COMPILE_CACHE and NODE_DISABLE_COMPILE_CACHE have the last word, as ever. */
export function useCompileCache(): void {
  const uid = process.getuid?.()
  const directory = compileCacheDirectory(tmpdir(), uid)
  if (isPrivateDirectory(directory, uid)) module.enableCompileCache(directory)
}

/** Writes it now. Node does so when it exits, so that a node that is killed would leave the next start without. */
export function flushCompileCache(): void {
  module.flushCompileCache()
}
