// Test support: damages the journal as a failing disk would, in what had been durable: a frame that later ones follow.

import type { Disk } from '../../env/disk.ts'
import { decodeCheckpoint } from '../checkpoint.ts'
import { readWholeFile } from '../files.ts'
import { FRAME_HEAD_BYTES, FRAME_MAGIC } from '../journal-frame.ts'
import { readFrameAt } from '../journal-reader.ts'

export interface FileBytes {
  readonly path: string
  readonly bytes: Uint8Array
}

export interface Place {
  readonly path: string
  readonly position: number
}

/**
 * A byte of a frame that counts, and that two others follow: so the first of these was written once it was synced, and is
 * synced itself. One of the checkpoint where there is no such frame. `pick`: uniform in [0, 1).
 */
export function placeToDamage(
  checkpoint: FileBytes,
  journal: readonly FileBytes[],
  pick: number,
): Place {
  const { generation, nextLsn } = decodeCheckpoint(checkpoint.bytes).cursor
  const found: (Place & { readonly lsn: number })[] = []
  for (const { path, bytes } of journal) {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const magic = Buffer.alloc(4)
    magic.writeUInt32BE(FRAME_MAGIC)
    for (let at = buffer.indexOf(magic); at >= 0; at = buffer.indexOf(magic, at + 1)) {
      const head = readFrameAt(bytes, at, 0)?.head
      if (head === undefined || head.lsn < nextLsn) continue
      const { number, salt } = head.generation
      if (number !== generation.number || salt !== generation.salt) continue
      found.push({ path, position: at + FRAME_HEAD_BYTES, lsn: head.lsn })
    }
  }
  found.sort((a, b) => a.lsn - b.lsn)
  const followed = found.slice(0, -2)
  return followed[Math.floor(pick * followed.length)] ?? { path: checkpoint.path, position: 20 }
}

/** Of a node that does not run. Returns the file. */
export async function damageJournal(disk: Disk, directory: string, pick: number): Promise<string> {
  const load = async (path: string) => ({ path, bytes: await readWholeFile(disk, path) })
  const checkpoint = await load(`${directory}/checkpoint`)
  const names = (await disk.list(`${directory}/journal`)).map(({ name }) => name)
  const journal = await Promise.all(names.map((name) => load(`${directory}/journal/${name}`)))
  const { path, position } = placeToDamage(checkpoint, journal, pick)
  const file = await disk.open(path, 'write')
  const byte = new Uint8Array(1)
  await file.read(byte, position)
  await file.write([Uint8Array.of(byte[0]! ^ 0x10)], position)
  await file.sync()
  await file.close()
  return path
}
