// docs/compatibility.md from the broker's table of APIs, what each handler says of itself at the head of its file, and the
// list of clients that the client suites run.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { servedApis } from '../src/broker/api-table.ts'
import { API_KEYS } from '../src/protocol/api-keys.ts'
import { clients } from './compatibility-clients.ts'
import { markdownTable } from './markdown.ts'

const handlersFolder = join(import.meta.dirname, '..', 'src', 'broker', 'handlers')

export function compatibilityPage(): string {
  const apis = servedApis(anything()).toSorted((a, b) => a.key - b.key)
  const notes = handlerNotes()
  return `${[
    '# Compatibility',
    '*Generated from the tables of the program (`npm run docs`); do not edit.*',
    intro,
    '## APIs',
    markdownTable(
      ['key', 'API', 'versions', 'note'],
      apis.map(({ key, name, minVersion, maxVersion, advertisedMinVersion }) => [
        String(key),
        name,
        minVersion === maxVersion ? String(minVersion) : `${minVersion}–${maxVersion}`,
        advertisedMinVersion < minVersion
          ? `${advertisedMinVersion}–${minVersion - 1} are advertised and refused`
          : '',
      ]),
    ),
    'What each does and does not do:',
    notesText(
      apis.map(({ name }) => name),
      notes,
    ),
    '## Not served',
    notServed(apis.map(({ key }) => key)),
    '## Clients',
    clientsIntro,
    markdownTable(
      ['client', 'version', 'what the suites run'],
      clients.map(({ name, version, runs }) => [name, version, runs]),
    ),
  ].join('\n\n')}\n`
}

/** Handlers keep what they are given and use it when a request comes; so the table can be read without a broker. */
function anything(): Parameters<typeof servedApis>[0] {
  const thing: object = new Proxy(() => thing, { get: () => thing })
  return thing as Parameters<typeof servedApis>[0]
}

const intro = [
  'Chronik speaks the wire protocol of Apache Kafka 4.3. It advertises an API only once its handler is complete, and then',
  'exactly the versions below; a request for anything else closes the connection, as in Kafka. Segments and committed',
  'offsets are in Kafka’s own formats, so that its `DumpLogSegments` reads them.',
].join('\n')

const clientsIntro = [
  'Unmodified, against a node started from this repository: `npm run compat`. The main job there sends every stanza of a',
  'Debian package index through each client with each codec and reads it back with each of the others.',
].join('\n')

interface Notes {
  readonly does: string
  readonly doesNot: string
}

/** APIs without a note of their own are the group coordinator's, and do all that Kafka's versions of them say. */
function notesText(names: readonly string[], notes: ReadonlyMap<string, Notes>): string {
  const described = names.filter((name) => notes.has(name))
  const groups = names.filter((name) => !notes.has(name))
  return [
    ...described.map((name) => noteOf(name, notes.get(name) ?? { does: '', doesNot: '' })),
    `- **${groups.join('**, **')}**: the classic group protocol, in these versions.`,
  ].join('\n')
}

function noteOf(name: string, { does, doesNot }: Notes): string {
  return `- **${name}**: ${does}${doesNot === '' ? '' : ` *Does not:* ${doesNot}`}`
}

/** What handlers say at the head of their files, by the name of their API. */
function handlerNotes(): Map<string, Notes> {
  const notes = new Map<string, Notes>()
  for (const file of readdirSync(handlersFolder)) {
    if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue
    const head = /^(?:\/\/.*\n)+/.exec(readFileSync(join(handlersFolder, file), 'utf8'))?.[0] ?? ''
    const text = head.replaceAll(/^\/\/ ?/gm, '').replaceAll('\n', ' ')
    const parts = /^(\w+)(?:: .*?)Does: (.*?)(?: Does not: (.*?))?\s*$/.exec(text)
    if (parts === null) continue
    notes.set(parts[1] ?? '', { does: (parts[2] ?? '').trim(), doesNot: parts[3] ?? '' })
  }
  return notes
}

/** What is left for later, by subject. */
const subjects: readonly (readonly [subject: string, keys: readonly number[]])[] = [
  ['Transactions', [24, 25, 26, 27, 28, 61, 65, 66]],
  ['SASL, ACLs and delegation tokens', [17, 36, 29, 30, 31, 38, 39, 40, 41, 50, 51]],
  ['Quotas', [48, 49]],
  ['The consumer group protocol of KIP-848', [68, 69]],
  ['Share groups', [76, 77, 78, 79, 90, 91, 92]],
  ['Streams groups', [88, 89]],
  ['Moving and electing replicas', [34, 43, 45, 46]],
  ['The quorum and features', [55, 57, 64, 80, 81]],
  ['Telemetry of clients', [71, 72]],
]

/** APIs that only Kafka's own brokers and controllers speak among themselves. */
const internal = [52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 82, 83, 84, 85, 86, 87]

function notServed(served: readonly number[]): string {
  const missing = Object.entries(API_KEYS).filter(
    ([, { key }]) => !served.includes(key) && !internal.includes(key),
  )
  const listed = subjects.flatMap(([, keys]) => keys)
  const named = (keys: readonly number[]): string[] =>
    missing.filter(([, { key }]) => keys.includes(key)).map(([name]) => name)
  const rest = missing.filter(([, { key }]) => !listed.includes(key)).map(([name]) => name)
  const rows = [
    ...subjects.map(([subject, keys]) => [subject, named(keys)] as const),
    ['Others', rest] as const,
  ]
  return [
    'Not there yet; clients see from ApiVersions that they are missing:',
    '',
    ...rows
      .filter(([, names]) => names.length > 0)
      .map(([subject, names]) => `- ${subject}: ${names.join(', ')}`),
  ].join('\n')
}
