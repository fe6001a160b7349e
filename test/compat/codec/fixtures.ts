// Writes the golden vectors: bytes that Kafka's own classes agreed to, with the contents as Kafka's JSON.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Message } from '../../../src/protocol/message.ts'

const FOLDER = join(import.meta.dirname, '../../../src/protocol/fixtures')

export interface Vector {
  readonly version: number
  readonly bytes: Uint8Array
  /** In the form of Kafka's JSON converters. */
  readonly json: string
}

/** One file per message; one vector per line: [version, bytes in base64, contents]. */
export async function writeFixtures(
  message: Message<unknown, unknown>,
  vectors: readonly Vector[],
): Promise<void> {
  await mkdir(FOLDER, { recursive: true })
  const lines = vectors.map(({ version, bytes, json }) => {
    return `  [${version}, "${Buffer.from(bytes).toString('base64')}", ${json}]`
  })
  await writeFile(join(FOLDER, `${message.name}.json`), `[\n${lines.join(',\n')}\n]\n`)
}
