// Damage of a simulated node's journal, as a failing disk would do it: in what later frames show to have been durable.

import type { SimHost } from '../../src/env/sim/sim-host.ts'
import type { Prng } from '../../src/env/sim/prng.ts'
import { placeToDamage, type FileBytes } from '../../src/storage/testing/damage-journal.ts'

const BIT = 4

/** False: there is nothing to damage yet. */
export function damageSimJournal(host: SimHost, directory: string, chance: Prng): boolean {
  const files = host.files.files().filter(({ path }) => path.startsWith(`${directory}/`))
  const bytesOf = (wanted: (path: string) => boolean): FileBytes[] =>
    files
      .filter(({ path }) => wanted(path.slice(directory.length + 1)))
      .map(({ path, file }) => {
        const bytes = new Uint8Array(file.bytes)
        file.read(bytes, 0)
        return { path, bytes }
      })
  const [checkpoint] = bytesOf((path) => path === 'checkpoint')
  if (checkpoint === undefined) return false
  const journal = bytesOf((path) => path.startsWith('journal/'))
  const place = placeToDamage(checkpoint, journal, chance.float())
  files.find(({ path }) => path === place.path)?.file.flipBit(place.position, BIT)
  return true
}
