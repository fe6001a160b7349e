// Waiting for something to be over, whichever way it ended.

/** The caller has heard, or will hear, of a failure elsewhere. */
export async function ended(work: Promise<unknown> | undefined): Promise<void> {
  if (work !== undefined) await Promise.allSettled([work])
}
