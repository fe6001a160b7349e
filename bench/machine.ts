// What the machine and its disk do while a case runs: processor time of a process and of everything, resident memory, load,
// and how fast the disk takes durable writes, measured beside the case because it changes from minute to minute.

import { randomFillSync } from 'node:crypto'
import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import path from 'node:path'

const ticksPerSecond = 100

export interface ProcessSample {
  readonly cpuSeconds: number
  readonly residentMegabytes: number
  readonly peakMegabytes: number
}

export function sampleProcess(pid: number): ProcessSample {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const kilobytes = (name: string): number =>
    Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0)
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    residentMegabytes: kilobytes('VmRSS') / 1000,
    peakMegabytes: kilobytes('VmHWM') / 1000,
  }
}

/** Processor seconds that were spent on anything since the machine started. */
export function busySeconds(): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (
    readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? ''
  )
    .split(/\s+/)
    .map(Number)
  return (user + nice + system + irq + softirq) / ticksPerSecond
}

export function machineLine(): string {
  const load = loadavg()
    .map((value) => value.toFixed(2))
    .join(' ')
  return `${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), load ${load}`
}

const blockBytes = 1_000_000

/** 1 MB random writes to a growing file, an fdatasync after each; MB/s. */
export function measureDisk(directory: string, seconds: number): number {
  const file = path.join(directory, 'disk.bin')
  const blocks = Array.from({ length: 16 }, () => randomFillSync(Buffer.alloc(blockBytes)))
  const fd = openSync(file, 'w')
  const startMs = performance.now()
  let written = 0
  while (performance.now() - startMs < seconds * 1000) {
    writeSync(fd, blocks[written++ % blocks.length] ?? Buffer.alloc(0))
    fdatasyncSync(fd)
  }
  const tookSeconds = (performance.now() - startMs) / 1000
  closeSync(fd)
  rmSync(file)
  return (written * blockBytes) / 1e6 / tookSeconds
}
