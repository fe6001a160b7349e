// Dates as people write them. Of `Date` only what depends on its argument alone, but for a date without a time zone, which
// is local time, as people mean it.

/** Milliseconds since 1970; NaN for what is no date. */
export function parseDateMs(text: string): number {
  return Date.parse(text)
}

/** `2026-01-31T12:00:00.000Z` */
export function formatDateMs(timestampMs: number): string {
  return new Date(timestampMs).toISOString()
}
