// The names of a log's files. Segments and their indexes are named as Kafka names them: the base offset in 20 digits.

import type { Offset } from '../base/brand.ts'
import { asOffset } from '../base/brand.ts'

export type SegmentFileKind = 'log' | 'index' | 'timeindex'

export const segmentFile = (directory: string, base: Offset, kind: SegmentFileKind): string =>
  `${directory}/${String(base).padStart(20, '0')}.${kind}`

/** Undefined for names that are no segment's. */
export function parseSegmentFile(
  name: string,
): { readonly base: Offset; readonly kind: SegmentFileKind } | undefined {
  const match = /^(\d{20})\.(log|index|timeindex)$/.exec(name)
  const [, digits, kind] = match ?? []
  if (digits === undefined || kind === undefined) return undefined
  if (kind !== 'log' && kind !== 'index' && kind !== 'timeindex') return undefined
  return { base: asOffset(Number(digits)), kind }
}
