// What a suite of client tests is made of, and what it is given to work with.

import kafkajs from 'kafkajs'
import type { ITopicConfig } from 'kafkajs'
import path from 'node:path'
import { HostClient, JavaClient } from './client.ts'
import type { Client } from './client.ts'
import { javaClasses, kafkaLibraries } from './install.ts'
import type { Need } from './install.ts'
import { KcatClient } from './kcat.ts'
import { waitFor } from './process.ts'
import type { Server } from './server.ts'

export interface Test {
  readonly name: string
  /** Default 60 s. */
  readonly timeoutMs?: number
  /** API keys without which the test makes no sense; it is reported as not offered when the server doesn't list one. */
  readonly apis?: readonly number[]
  run(): Promise<void>
}

export interface Suite {
  readonly name: string
  readonly needs: readonly Need[]
  tests(context: Context): Promise<readonly Test[]> | readonly Test[]
}

export type ClientName = 'kcat' | 'confluent' | 'kafka-python' | 'kafkajs' | 'platformatic' | 'java'
export const clientNames: readonly ClientName[] = [
  'kcat',
  'confluent',
  'kafka-python',
  'kafkajs',
  'platformatic',
  'java',
]

/** What must be on the machine for a client; the npm packages always are. */
export const clientNeeds: Readonly<Record<ClientName, readonly Need[]>> = {
  kcat: ['kcat'],
  confluent: ['confluent'],
  'kafka-python': ['kafka-python'],
  kafkajs: [],
  platformatic: [],
  java: ['java'],
}

/** One run: the server, the clients that were started so far, a place for files. */
export class Context {
  readonly server: Server
  readonly directory: string
  /** Which of the clients can be had on this machine. */
  readonly available: readonly ClientName[]
  readonly options: { readonly records: number }
  private readonly clients = new Map<ClientName, Client>()
  private readonly stamp: string
  private topics = 0

  constructor(
    server: Server,
    directory: string,
    available: readonly ClientName[],
    options: { readonly records: number },
  ) {
    this.server = server
    this.directory = directory
    this.available = available
    this.options = options
    this.stamp = (Date.now() % 1e8).toString(36)
  }

  /** A name that no other test uses. */
  topic(name: string): string {
    this.topics++
    return `${name}-${this.stamp}-${this.topics}`
  }

  client(name: ClientName): Client {
    const started = this.clients.get(name)
    if (started !== undefined) return started
    const client = this.startClient(name)
    this.clients.set(name, client)
    return client
  }

  get kcat(): KcatClient {
    return this.client('kcat') as KcatClient
  }

  get java(): JavaClient {
    return this.client('java') as JavaClient
  }

  host(name: Exclude<ClientName, 'kcat'>): HostClient {
    return this.client(name) as HostClient
  }

  private startClient(name: ClientName): Client {
    const { bootstrap } = this.server
    const program = (file: string): string => path.join(import.meta.dirname, 'clients', file)
    switch (name) {
      case 'kcat':
        return new KcatClient(bootstrap)
      case 'confluent':
        return new HostClient(name, '/usr/bin/python3', [program('confluent.py'), bootstrap])
      case 'kafka-python':
        return new HostClient(name, '/usr/bin/python3', [program('kafka_python.py'), bootstrap])
      case 'kafkajs':
        return new HostClient(name, process.execPath, [program('kafkajs.ts'), bootstrap])
      case 'platformatic':
        return new HostClient(name, process.execPath, [program('platformatic.ts'), bootstrap])
      case 'java': {
        const classpath = `${javaClasses()}:${path.join(kafkaLibraries, '*')}`
        const quiet = [
          '-Dorg.apache.logging.log4j.level=OFF',
          '-XX:+UseSerialGC',
          '-XX:TieredStopAtLevel=1',
          '-Xmx768m',
        ]
        return new JavaClient(name, 'java', [...quiet, '-cp', classpath, 'Host', bootstrap])
      }
    }
  }

  /** Creates topics with kafkajs, which needs nothing from outside, for tests that are not about creating them. */
  async createTopics(...topics: ITopicConfig[]): Promise<void> {
    await this.withAdmin(async (admin) => {
      await admin.createTopics({ topics, waitForLeaders: false })
      // A broker may acknowledge a topic a moment before its own metadata shows it.
      const names = topics.map(({ topic }) => topic)
      await waitFor(`metadata of ${names.join(', ')}`, 10_000, async () => {
        const listed = await admin.listTopics()
        return names.every((name) => listed.includes(name)) ? true : undefined
      })
    })
  }

  async withAdmin<T>(body: (admin: kafkajs.Admin) => Promise<T>): Promise<T> {
    const admin = this.kafkajs().admin()
    await admin.connect()
    try {
      return await body(admin)
    } finally {
      await admin.disconnect()
    }
  }

  /** Produces `count` records, numbered from `from`, to each partition. */
  async send(topic: string, partitions: number, from: number, count: number): Promise<void> {
    const producer = this.kafkajs().producer({ idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    const numbers = Array.from({ length: count }, (_, i) => String(from + i))
    const messages = Array.from({ length: partitions }, (_, partition) =>
      numbers.map((value) => ({ partition, value })),
    )
    await producer.send({ topic, acks: -1, messages: messages.flat() })
    await producer.disconnect()
  }

  private kafkajs(): kafkajs.Kafka {
    const { Kafka, logLevel } = kafkajs
    return new Kafka({
      clientId: 'compat-runner',
      brokers: [this.server.bootstrap],
      logLevel: logLevel.NOTHING,
    })
  }

  async close(): Promise<void> {
    await Promise.all([...this.clients.values()].map((client) => client.close()))
    this.clients.clear()
  }
}
