// `chronik dump`: what a node's files hold, in words. It only reads, so it may run beside the node, which may then be a
// little ahead of what is printed.

import { Command } from 'commander'
import { DiskError, type Disk } from '../../env/disk.ts'
import { NodeDisk } from '../../env/node/node-disk.ts'
import { BadBatchError, dataRecordsIn } from '../../records/read.ts'
import { FormatError } from '../../storage/byte-io.ts'
import {
  dumpCheckpoint,
  dumpJournalFile,
  dumpOffsetIndex,
  dumpSegment,
  dumpTimeIndex,
} from '../../storage/dump.ts'
import type { Output } from '../data-world.ts'
import { Failure } from '../failure.ts'
import { realDataWorld } from '../real-data-world.ts'
import { jsonFromRecord } from '../record-text.ts'

/** The world of the command; tests bring their own. */
export interface DumpWorld {
  readonly disk: Disk
  readonly workingDirectory: string
  readonly output: Output
}

/** Lines are written together, for speed. */
const CHUNK_CHARACTERS = 64 * 1024

const helpEnd = `
PATH is a segment (.log), its index (.index, .timeindex), a journal file (.journal), a checkpoint, the folder of a partition,
the journal's folder, or a data directory (its checkpoint and journal). It may belong to a running node.

Examples:
  chronik dump data/logs/orders-0.2
  chronik dump --records data/logs/orders-0.2/00000000000000000000.log
  chronik dump data/journal`

export function command(): Command {
  const { output } = realDataWorld()
  return dumpCommand({ disk: new NodeDisk(), workingDirectory: process.cwd(), output })
}

export function dumpCommand(world: DumpWorld): Command {
  return new Command('dump')
    .description("Prints what a node's files hold, in words.")
    .argument('<path>', 'file or folder')
    .option(
      '--records',
      'of a segment, print every record as a line of JSON instead of its batches',
    )
    .addHelpText('after', helpEnd)
    .allowExcessArguments(false)
    .action((path: string, options: { readonly records?: boolean }) =>
      dump(path.startsWith('/') ? path : `${world.workingDirectory}/${path}`, {
        ...world,
        records: options.records === true,
      }),
    )
}

type Job = DumpWorld & { readonly records: boolean }

async function dump(path: string, job: Job): Promise<void> {
  const files = await filesAt(path.replace(/\/+$/, ''), job.disk)
  for (const file of files) {
    if (job.output.isClosed) return
    if (files.length > 1) await job.output.write(`${file}\n`)
    const bytes = await readWhole(file, job.disk)
    await writeLines(linesOf(file, bytes, job.records), job.output).catch((error: unknown) => {
      if (!(error instanceof FormatError)) throw error
      throw new Failure(`${file}: ${error.message}`, { cause: error })
    })
  }
}

/** The file itself, or what a folder holds that can be dumped. */
async function filesAt(path: string, disk: Disk): Promise<string[]> {
  const found = await disk.stat(path)
  if (found === undefined) throw new Failure(`there is no ${path}`)
  if (found.kind === 'file') return [path]
  const entries = await disk.list(path)
  const files = entries
    .filter(({ kind, name }) => kind === 'file' && kindOf(name) !== undefined)
    .map(({ name }) => `${path}/${name}`)
  const journal = entries.some(({ kind, name }) => kind === 'directory' && name === 'journal')
  if (journal) files.push(...(await filesAt(`${path}/journal`, disk)))
  if (files.length > 0) return files
  throw new Failure(
    `${path} holds no segment, journal file or checkpoint; chronik dump --help says what can be dumped`,
  )
}

type FileKind = 'segment' | 'index' | 'timeindex' | 'journal' | 'checkpoint'

function kindOf(name: string): FileKind | undefined {
  if (name === 'checkpoint') return 'checkpoint'
  const ending = /\.(log|index|timeindex|journal)$/.exec(name)?.[1]
  return ending === 'log' ? 'segment' : (ending as FileKind | undefined)
}

function linesOf(path: string, bytes: Uint8Array, records: boolean): Iterable<string> {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const baseOffset = Number.parseInt(name, 10) || 0
  const kind = kindOf(name)
  switch (kind) {
    case 'segment':
      return records ? recordLines(path, bytes) : dumpSegment(bytes)
    case 'index':
      return dumpOffsetIndex(bytes, baseOffset)
    case 'timeindex':
      return dumpTimeIndex(bytes, baseOffset)
    case 'journal':
      return dumpJournalFile(bytes)
    case 'checkpoint':
      return dumpCheckpoint(bytes)
    case undefined:
      throw new Failure(
        `${path}: not known by its name; chronik dump --help says what can be dumped`,
      )
  }
}

function* recordLines(path: string, bytes: Uint8Array): Generator<string> {
  const [, topic = '', partition = '0'] = /([^/]+)-(\d+)\.\d+\/[^/]+$/.exec(path) ?? []
  try {
    for (const record of dataRecordsIn(bytes)) {
      yield jsonFromRecord({ ...record, topic, partition: Number(partition) })
    }
  } catch (error) {
    if (!(error instanceof BadBatchError)) throw error
    throw new Failure(
      `${path}: ${error.message}; chronik dump without --records shows how far it is whole`,
    )
  }
}

async function readWhole(path: string, disk: Disk): Promise<Uint8Array> {
  try {
    const file = await disk.open(path, 'read')
    try {
      const bytes = new Uint8Array(await file.size())
      return bytes.subarray(0, await file.read(bytes, 0))
    } finally {
      await file.close()
    }
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    throw new Failure(`can't read ${path}: ${error.message}`, { cause: error })
  }
}

async function writeLines(lines: Iterable<string>, output: Output): Promise<void> {
  let chunk = ''
  for (const line of lines) {
    chunk += `${line}\n`
    if (chunk.length < CHUNK_CHARACTERS) continue
    await output.write(chunk)
    if (output.isClosed) return
    chunk = ''
  }
  await output.write(chunk)
}
