// What becomes of a data directory whose journal or checkpoint is damaged, where its groups can heal it (law R5). Which votes
// were given and what was acknowledged after the damage is not known, nor whether more groups were created; so nothing of it
// counts any more. The directory keeps its identity (law R6), its contents are set aside for people to look at, and it begins
// anew, empty, under a mark that is durable before anything else: while it is there, every replica of it is a suspect, also
// one that it does not know yet.

import { crc32c } from '../base/crc32c.ts'
import { CHECKPOINT_FILE } from './checkpoint.ts'
import { isDiskError, readFileIfThere, unlinkIfThere, writeFileWhole } from './files.ts'
import { formatEmpty } from './format.ts'
import type { StoreEnv } from './options.ts'
import { StoreError } from './store.ts'

export const SUSPECT_FILE = 'suspect.json'
const FORMAT = 'chronik-suspect'
const VERSION = 1
const SET_ASIDE = ['journal', 'logs', CHECKPOINT_FILE] as const

/** `setting-aside`: what is there does not count; `begun`: what is there was written under the mark. */
type Stage = 'setting-aside' | 'begun'

/** True while every replica of the directory is a suspect. Finishes what an earlier start began. */
export async function isSuspect(env: StoreEnv, directory: string): Promise<boolean> {
  const stage = await readStage(env, directory)
  if (stage === 'setting-aside') await setAside(env, directory)
  return stage !== undefined
}

/** Durable when it resolves: the directory is empty, and suspect. */
export async function beginAnew(env: StoreEnv, directory: string): Promise<void> {
  await writeStage(env, directory, 'setting-aside')
  await setAside(env, directory)
}

/** The mark goes, durably: every group that the directory had a replica of is there again. */
export async function endSuspicion(env: Pick<StoreEnv, 'disk'>, directory: string): Promise<void> {
  await unlinkIfThere(env.disk, `${directory}/${SUSPECT_FILE}`)
  await env.disk.syncDirectory(directory)
}

/** Interrupted anywhere, it is done again from the start: each time into a folder of its own. */
async function setAside(env: StoreEnv, directory: string): Promise<void> {
  const { disk } = env
  const names = new Set((await disk.list(directory)).map(({ name }) => name))
  let number = 1
  while (names.has(`damaged.${number}`)) number++
  const aside = `${directory}/damaged.${number}`
  await disk.makeDirectory(aside)
  for (const name of SET_ASIDE) {
    try {
      await disk.rename(`${directory}/${name}`, `${aside}/${name}`)
    } catch (error) {
      if (!isDiskError(error, 'ENOENT')) throw error
    }
  }
  await disk.syncDirectory(aside)
  await disk.syncDirectory(directory)
  await formatEmpty(disk, directory)
  await writeStage(env, directory, 'begun')
  env.log.error('the journal is damaged: all replicas of this node begin anew, as suspects', {
    directory,
    setAside: aside,
  })
}

async function readStage({ disk }: StoreEnv, directory: string): Promise<Stage | undefined> {
  const path = `${directory}/${SUSPECT_FILE}`
  const bytes = await readFileIfThere(disk, path)
  if (bytes === undefined) return undefined
  const text = new TextDecoder().decode(bytes)
  for (const stage of ['setting-aside', 'begun'] as const) if (text === textOf(stage)) return stage
  if (/"version":(?!1,)\d+/.test(text))
    throw new StoreError('corrupt', `${path} is of a newer version`)
  throw new StoreError('corrupt', `${path} fails its check`)
}

function writeStage({ disk }: StoreEnv, directory: string, stage: Stage): Promise<void> {
  return writeFileWhole(disk, directory, SUSPECT_FILE, new TextEncoder().encode(textOf(stage)))
}

function textOf(stage: Stage): string {
  const crc = crc32c(new TextEncoder().encode(`${FORMAT} ${VERSION} ${stage}`))
  return `${JSON.stringify({ format: FORMAT, version: VERSION, stage, crc })}\n`
}
