// What the nodes say, each in a file of bounded size. A full disk must not take the supervisor with it.

import { DiskError } from '../../env/disk.ts'
import { RotatingFile } from '../../env/node/rotating-file.ts'
import type { NodeLayout } from './layout.ts'

const FILE_BYTES_MAX = 8 * 1024 * 1024

export class NodeLogs {
  readonly #files = new Map<string, RotatingFile | 'failed'>()
  readonly #say: (text: string) => void

  constructor(say: (text: string) => void) {
    this.#say = say
  }

  write({ logPath }: NodeLayout, line: string): void {
    try {
      let file = this.#files.get(logPath)
      if (file === 'failed') return
      if (file === undefined) {
        file = new RotatingFile(logPath, FILE_BYTES_MAX)
        this.#files.set(logPath, file)
      }
      file.write(`${line}\n`)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#files.set(logPath, 'failed')
      this.#say(`${error.message}; its lines are lost from here on`)
    }
  }

  close(): void {
    for (const file of this.#files.values()) if (file !== 'failed') file.close()
    this.#files.clear()
  }
}
