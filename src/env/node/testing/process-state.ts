// What a process is doing, for tests that signal and kill.

import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

/** As `ps` names it: R and S run or sleep, T is stopped, Z is dead; undefined where there is no such process. */
export async function processState(pid: number): Promise<string | undefined> {
  if (!existsSync('/proc/self/stat')) return fromPs(pid)
  try {
    return /\) (\w) /.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1]
  } catch {
    return undefined
  }
}

export async function isGone(pid: number): Promise<boolean> {
  return [undefined, 'Z', 'X'].includes(await processState(pid))
}

function fromPs(pid: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile('ps', ['-o', 'stat=', '-p', String(pid)], (_, stdout) => {
      resolve(stdout.trim() === '' ? undefined : stdout.trim().charAt(0))
    })
  })
}
