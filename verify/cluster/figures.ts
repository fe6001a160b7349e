// Measured times as distributions, and tables of text.

export class Figures {
  readonly #values = new Map<string, number[]>()

  add(name: string, ms: number): void {
    const values = this.#values.get(name)
    if (values === undefined) this.#values.set(name, [ms])
    else values.push(ms)
  }

  take(other: Figures): void {
    for (const [name, values] of other.#values) for (const value of values) this.add(name, value)
  }

  /** One line per figure: how many, the least, the median and the greatest, in milliseconds. */
  lines(): string[] {
    if (this.#values.size === 0) return []
    const rows = [...this.#values].map(([name, values]) => {
      const sorted = values.toSorted((a, b) => a - b)
      const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? 0
      return [name, sorted.length, ...[0, 0.5, 0.9, 1].map((share) => Math.round(at(share)))]
    })
    return table(['ms', 'n', 'min', 'median', '90%', 'max'], rows)
  }
}

/** Columns aligned: the first to the left, numbers to the right. */
export function table(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string[] {
  const all = [head, ...rows]
  const widths = head.map((_, i) => Math.max(...all.map((row) => String(row[i] ?? '').length)))
  return all.map((row) => {
    const cells = row.map((cell, i) => {
      const width = widths[i] ?? 0
      return i === 0 ? String(cell).padEnd(width) : String(cell).padStart(width)
    })
    return cells.join('  ').trimEnd()
  })
}
