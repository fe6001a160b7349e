// How the id of a group is read from a frame: u16 length, then its characters. (Written with `Writer.string(id, false)`.)

import { asLogId, type LogId } from '../base/brand.ts'
import type { Reader } from '../protocol/reader.ts'

const GROUP_ID_BYTES_MAX = 255

const utf8 = new TextDecoder()

/** Throws ProtocolError. */
export function readGroupId(reader: Reader): LogId {
  const length = reader.uint16()
  if (length === 0 || length > GROUP_ID_BYTES_MAX) reader.fail(`group id of ${length} bytes`)
  const outer = reader.enter(length)
  const id = utf8.decode(reader.rest())
  reader.leave(outer)
  return asLogId(id)
}
