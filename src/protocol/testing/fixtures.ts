// The golden vectors beside the codec: one file per message, one [version, base64, contents] per vector.

import type { Message } from '../message.ts'
import { fromKafkaJson } from './kafka-json.ts'

export interface Vector {
  readonly version: number
  readonly bytes: Uint8Array
  readonly value: unknown
}

/** The vectors of a message, given how its file is read (`fixtures/<message>.json`). */
export function readFixtures(
  message: Message<unknown, unknown>,
  readFile: (path: string) => string,
): Vector[] {
  const text = readFile(`${import.meta.dirname}/../fixtures/${message.name}.json`)
  const rows = JSON.parse(text) as [version: number, base64: string, json: unknown][]
  return rows.map(([version, base64, json]) => {
    const bytes = new Uint8Array(Buffer.from(base64, 'base64'))
    return { version, bytes, value: fromKafkaJson(message.node, json, version) }
  })
}
