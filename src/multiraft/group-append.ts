// What became of a leader's append.

import type { Offset } from '../base/brand.ts'
import type { Position } from '../base/position.ts'

type Reason = 'not-leader' | 'fenced-epoch' | 'storage-full'

export type GroupAppend =
  | { readonly kind: 'accepted'; readonly baseOffset: Offset; readonly end: Position }
  | { readonly kind: 'rejected'; readonly reason: Reason }

export const rejected = (reason: Reason): GroupAppend => ({ kind: 'rejected', reason })
