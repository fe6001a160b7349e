// Test support: damages the journal as a failing disk would, in what had been durable: a frame that later ones follow.

import type { Disk } from '../../env/disk.ts'
import { readWholeFile } from '../files.ts'
import { FRAME_HEAD_BYTES, FRAME_MAGIC } from '../journal-frame.ts'
import { readFrameAt } from '../journal-reader.ts'
import { readCheckpoint } from '../checkpoint.ts'

/**
 * Flips one byte in a frame that counts and that another one follows, or in the checkpoint where there is no such frame.
 * Returns the file. `pick`: uniform in [0, 1).
 */
export async function damageJournal(disk: Disk, directory: string, pick: number): Promise<string> {
  const checkpoint = await readCheckpoint(disk, directory)
  const from = checkpoint?.cursor
  const found: { readonly path: string; readonly at: number; readonly lsn: number }[] = []
  for (const { name } of await disk.list(`${directory}/journal`)) {
    const path = `${directory}/journal/${name}`
    const bytes = Buffer.from(await readWholeFile(disk, path))
    const magic = Buffer.alloc(4)
    magic.writeUInt32BE(FRAME_MAGIC)
    for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) {
      const frame = readFrameAt(bytes, at, 0)
      if (frame === undefined || from === undefined) continue
      const { generation, lsn } = frame.head
      const counts =
        generation.number === from.generation.number &&
        generation.salt === from.generation.salt &&
        lsn >= from.nextLsn
      if (counts) found.push({ path, at, lsn })
    }
  }
  found.sort((a, b) => a.lsn - b.lsn)
  const chosen = found.slice(0, -1)[Math.floor(pick * (found.length - 1))]
  if (chosen === undefined) return flip(disk, `${directory}/checkpoint`, 20)
  return flip(disk, chosen.path, chosen.at + FRAME_HEAD_BYTES)
}

async function flip(disk: Disk, path: string, at: number): Promise<string> {
  const file = await disk.open(path, 'write')
  const byte = new Uint8Array(1)
  await file.read(byte, at)
  await file.write([Uint8Array.of(byte[0]! ^ 0x10)], at)
  await file.sync()
  await file.close()
  return path
}
