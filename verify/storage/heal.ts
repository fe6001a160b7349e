// Damage of segment files, and what replication does about it: reads until bytes turn out to be bad, and puts the leader's
// in their place. The model is the leader.

import { asOffset } from '../../src/base/brand.ts'
import type { Prng } from '../../src/env/sim/prng.ts'
import type { SimHost } from '../../src/env/sim/sim-host.ts'
import { summarizeBatches } from '../../src/records/batch-header.ts'
import { StoreError, type StoredLog } from '../../src/storage/store.ts'
import { expect, type Settle } from './check.ts'
import type { Image } from './model.ts'

/** Of a stopped machine: flips a bit anywhere, or loses a segment or its end. Returns what it did, for the notes. */
export async function harm(host: SimHost, chance: Prng, settle: Settle): Promise<string> {
  const segments = host.files.files().filter(({ path }) => path.endsWith('.log'))
  if (segments.length === 0 || chance.chance(0.5)) {
    const flipped = host.flipBit(chance.chance(0.5) && segments.length > 0 ? /\.log$/ : /./)
    return `flipped a bit of ${flipped?.path} at byte ${flipped?.position}`
  }
  const { path, file } = chance.pick(segments)
  const { disk } = host.boot()
  const bytes = chance.chance(0.5) ? chance.below(file.bytes + 1) : undefined
  if (bytes === undefined) {
    await settle(disk.unlink(path))
    await settle(disk.syncDirectory(path.slice(0, path.lastIndexOf('/'))))
  } else {
    const open = await settle(disk.open(path, 'write'))
    await settle(open.truncate(bytes))
    await settle(open.sync())
  }
  host.kill()
  return bytes === undefined ? `lost ${path}` : `cut ${path} to ${bytes} bytes`
}

/** Reads the whole log, and repairs what turns out to be bad. Returns how many ranges did. */
export async function healLog(
  log: StoredLog,
  image: Image,
  how: { readonly settle: Settle; readonly chance: Prng },
): Promise<number> {
  let healed = 0
  for (let from = log.logStart; from < log.end.offset;) {
    const maxBytes = how.chance.pick([1, 2_000])
    const request = { from, below: log.end.offset, maxBytes }
    try {
      const answer = await how.settle((async () => log.read(request))())
      from = answer.next
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'corrupt') throw error
      const { damage } = log
      expect(damage !== undefined, `log ${log.id}: ${error.message}, but no damage is known`)
      await repairFirst(log, image, how)
      healed++
      expect(healed < 100, `log ${log.id} is never whole`)
    }
  }
  while (log.damage !== undefined) {
    await repairFirst(log, image, how)
    healed++
  }
  return healed
}

async function repairFirst(
  log: StoredLog,
  image: Image,
  { settle, chance }: { readonly settle: Settle; readonly chance: Prng },
): Promise<void> {
  const { damage } = log
  if (damage === undefined) return
  const missing = image.batches.filter(
    (batch) => batch.last >= damage.from && batch.base < damage.to,
  )
  expect(missing.length > 0, `log ${log.id}: damage ${damage.from}..${damage.to} is not in the log`)
  while (missing.length > 0) {
    const part = missing.splice(0, chance.between(1, missing.length))
    const bytes = Buffer.concat(part.map((batch) => batch.bytes))
    const next = await settle(log.repair(bytes, summarizeBatches(bytes)))
    if (next === part.at(-1)!.last + 1) continue
    // The segment got its last bytes while it was repaired: it is to be done anew.
    expect(next === damage.from, `log ${log.id}: a repair goes on at ${next}`)
    return
  }
  const now = log.damage
  const gone = now === undefined || now.from !== asOffset(damage.from)
  expect(gone, `log ${log.id}: damage ${damage.from}..${damage.to} stays after its repair`)
}
