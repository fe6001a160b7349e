// A log file of bounded size: when it is full, it becomes `<path>.1`, in place of the one before, and a new one begins.

import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'
import { toDiskError } from './disk-error.ts'

export class RotatingFile {
  readonly path: string
  readonly #bytesMax: number
  #descriptor: number
  #bytes: number

  /** Begins a new file. Fails with DiskError. `bytesMax` is of one file; there are two. */
  constructor(path: string, bytesMax: number) {
    this.path = path
    this.#bytesMax = bytesMax
    this.#bytes = 0
    try {
      this.#descriptor = openSync(path, 'a', 0o644)
      if (fstatSync(this.#descriptor).size > 0) this.#rotate()
    } catch (error) {
      throw toDiskError(error, 'open', path)
    }
  }

  /** Synchronous: what a process said last is there when its end is told. Fails with DiskError. */
  write(text: string): void {
    try {
      if (this.#bytes >= this.#bytesMax) this.#rotate()
      this.#bytes += writeSync(this.#descriptor, text)
    } catch (error) {
      throw toDiskError(error, 'write', this.path)
    }
  }

  close(): void {
    closeSync(this.#descriptor)
  }

  #rotate(): void {
    closeSync(this.#descriptor)
    renameSync(this.path, `${this.path}.1`)
    this.#descriptor = openSync(this.path, 'a', 0o644)
    this.#bytes = 0
  }
}
