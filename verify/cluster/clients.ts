// The clients that can drive load: what each needs on the machine, how it is started, and what may be expected of it.

import path from 'node:path'
import { kafkaLibraries, newestConfluent, type Need } from '../../test/compat/install.ts'

export type ClientName =
  | 'chronik'
  | 'kcat'
  | 'kafkajs'
  | 'librdkafka'
  | 'librdkafka-newest'
  | 'java'
  | 'kafka-python'

export interface ClientKind {
  readonly needs: readonly Need[]
  readonly acks: 'all' | 1
  readonly idempotent: boolean
  /** Its records of one partition are written in the order in which they were given. */
  readonly ordered: boolean
  /** It does not try again what a dying node did not answer, so that such records fail. */
  readonly givesUp: boolean
  /** Records a second that it manages easily. */
  readonly rate: number
  /** What it can't deliver fails after so long at most, when told to give up after `timeoutMs`. */
  failsWithinMs(timeoutMs: number): number
  command(): readonly [command: string, ...args: string[]]
}

const program = (file: string): string => path.join(import.meta.dirname, 'clients', file)
const asTold = (timeoutMs: number) => timeoutMs
const idempotent = {
  acks: 'all',
  idempotent: true,
  ordered: true,
  givesUp: false,
  rate: 200,
  failsWithinMs: asTold,
} as const

export const clients: Readonly<Record<ClientName, ClientKind>> = {
  chronik: { ...idempotent, needs: [], command: () => [process.execPath, program('chronik.ts')] },
  // Each record has a process, and so a producer id, of its own.
  kcat: {
    ...idempotent,
    ordered: false,
    rate: 10,
    needs: ['kcat'],
    command: () => [process.execPath, program('kcat.ts')],
  },
  // It counts tries, not time, and a record first waits for the send before it.
  kafkajs: {
    ...idempotent,
    failsWithinMs: (timeoutMs) => 3 * timeoutMs,
    needs: [],
    command: () => [process.execPath, program('kafkajs.ts')],
  },
  librdkafka: {
    ...idempotent,
    needs: ['confluent'],
    command: () => ['/usr/bin/python3', program('librdkafka.py')],
  },
  'librdkafka-newest': {
    ...idempotent,
    needs: ['confluent-newest'],
    command: () => [newestConfluent, program('librdkafka.py')],
  },
  java: {
    ...idempotent,
    needs: ['java'],
    command: () => [
      'java',
      '-Dorg.apache.logging.log4j.level=OFF',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-Xmx256m',
      '-cp',
      path.join(kafkaLibraries, '*'),
      program('Load.java'),
    ],
  },
  'kafka-python': {
    acks: 1,
    idempotent: false,
    ordered: false,
    givesUp: true,
    rate: 200,
    failsWithinMs: asTold,
    needs: ['kafka-python'],
    command: () => ['/usr/bin/python3', program('kafka_python.py')],
  },
}

export const clientNames = Object.keys(clients) as readonly ClientName[]
