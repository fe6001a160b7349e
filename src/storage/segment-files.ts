// The names of a log's files. Segments and their indexes are named as Kafka names them: the base offset in 20 digits.

import type { Offset } from '../base/brand.ts'
import { asOffset } from '../base/brand.ts'

export type SegmentFileKind = 'log' | 'index' | 'timeindex'

export const segmentFile = (directory: string, base: Offset, kind: SegmentFileKind): string =>
  `${directory}/${String(base).padStart(20, '0')}.${kind}`

/** A segment's file written anew, until it takes the place of the old one. */
export const swapFile = (directory: string, base: Offset, revision: number): string =>
  `${directory}/${String(base).padStart(20, '0')}.${revision}.swap`

/** Undefined for names that are not such a file's. */
export function parseSwapFile(
  name: string,
): { readonly base: Offset; readonly revision: number } | undefined {
  const [, digits, revision] = /^(\d{20})\.(\d+)\.swap$/.exec(name) ?? []
  if (digits === undefined || revision === undefined) return undefined
  return { base: asOffset(Number(digits)), revision: Number(revision) }
}

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
