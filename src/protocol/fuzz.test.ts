// The decoder against damaged bytes. Whatever arrives, it returns a value that the bytes account for, or throws
// ProtocolError; never anything else, and never after allocating by a length that it did not check.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { MissingBytes, ProtocolError } from './errors.ts'
import { FrameSplitter } from './frames.ts'
import { decodeRequestHeader, encodeRequestHeader } from './headers.ts'
import { join } from './message.ts'
import { MESSAGES, versionsOf } from './testing/catalogue.ts'
import { readFixtures } from './testing/fixtures.ts'
import { generate } from './testing/generate.ts'
import { below, pick, seeded, type Random } from './testing/random.ts'
import { Reader } from './reader.ts'
import { Writer } from './writer.ts'

const readText = (path: string): string => readFileSync(path, 'utf8')

const SEED = 20_261_122
const MUTATIONS_PER_VECTOR = 40

const LENGTHS = [
  '7fffffff',
  '80000000',
  'ffffffff',
  'fffffffe',
  '00ffffff',
  '7fff',
  '8000',
] as const
const VARINTS = ['ffffffff0f', 'ffffffffff', 'ffffff7f', '8080808000', '00', '01'] as const

type Mutation = (bytes: Buffer, random: Random) => Buffer

function overwrite(bytes: Buffer, at: number, hex: string): Buffer {
  const copy = Buffer.from(bytes)
  Buffer.from(hex, 'hex').copy(copy, at)
  return copy
}

const MUTATIONS: readonly [Mutation, ...Mutation[]] = [
  function flipBit(bytes, random) {
    const copy = Buffer.from(bytes)
    const at = below(random, copy.length)
    copy[at] = copy[at]! ^ (1 << below(random, 8))
    return copy
  },
  function truncate(bytes, random) {
    return bytes.subarray(0, below(random, bytes.length))
  },
  function inflateLength(bytes, random) {
    return overwrite(bytes, below(random, bytes.length), pick(random, LENGTHS))
  },
  function inflateVarint(bytes, random) {
    return overwrite(bytes, below(random, bytes.length), pick(random, VARINTS))
  },
  function insert(bytes, random) {
    const at = below(random, bytes.length + 1)
    const extra = Buffer.from(pick(random, [...LENGTHS, ...VARINTS]), 'hex')
    return Buffer.concat([bytes.subarray(0, at), extra, bytes.subarray(at)])
  },
  function remove(bytes, random) {
    const at = below(random, bytes.length)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(random, 4))])
  },
  function noise(bytes, random) {
    return Buffer.from(Array.from({ length: bytes.length }, () => below(random, 256)))
  },
]

function mutate(bytes: Uint8Array, random: Random): Buffer {
  let mutant = Buffer.from(bytes)
  for (let i = below(random, 3); i >= 0; i--) {
    if (mutant.length > 0) mutant = pick(random, MUTATIONS)(mutant, random) as typeof mutant
  }
  return mutant
}

/** Runs a decoder; undefined when it refused as it should. */
function attempt<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof ProtocolError) return undefined
    throw error
  }
}

/** Elements of all arrays in a value: each must have taken at least one byte. */
function countElements(value: unknown): number {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 0
  const children: unknown[] = Object.values(value)
  let count = Array.isArray(value) ? children.length : 0
  for (const child of children) count += countElements(child)
  return count
}

test('mutated messages give a value or a protocol error', () => {
  let accepted = 0
  let refused = 0
  for (const message of MESSAGES) {
    readFixtures(message, readText).forEach(({ version, bytes }, index) => {
      const random = seeded(SEED + index)
      for (let i = 0; i < MUTATIONS_PER_VECTOR; i++) {
        const mutant = mutate(bytes, random)
        const what = `${message.name} v${version} ${mutant.toString('hex')}`
        try {
          const value = attempt(() => message.decode(mutant, version))
          if (value === undefined) {
            refused++
            continue
          }
          accepted++
          assert.ok(countElements(value) <= mutant.length)
          // What was read can be written, and means the same.
          const again = join(message.encode(value, version))
          assert.deepEqual(message.decode(again, version), value)
        } catch (error) {
          throw new Error(what, { cause: error })
        }
      }
    })
  }
  assert.ok(accepted > 1000 && refused > 10_000, `${accepted} accepted, ${refused} refused`)
})

test('every proper prefix of a message is refused, and so is a byte after it', () => {
  for (const message of MESSAGES) {
    for (const version of versionsOf(message)) {
      const size = { arrayMin: 1, arrayMax: 2, bytesMax: 5, long: false }
      const value = generate(message, version, seeded(SEED + version), size)
      const bytes = join(message.encode(value, version))
      for (let length = 0; length < bytes.length; length++) {
        const prefix = bytes.subarray(0, length)
        const what = `${message.name} v${version}: ${length} of ${bytes.length} bytes`
        assert.throws(() => message.decode(prefix, version), ProtocolError, what)
      }
      const longer = Buffer.concat([bytes, Buffer.alloc(1)])
      assert.throws(() => message.decode(longer, version), ProtocolError)
    }
  }
})

test('an announced length is refused before memory is taken for it', () => {
  const before = process.memoryUsage()
  for (const message of MESSAGES) {
    for (const { version, bytes } of readFixtures(message, readText)) {
      for (let at = 0; at < bytes.length; at++) {
        for (const hex of ['0fffffff', 'ffffffff07']) {
          attempt(() => message.decode(overwrite(Buffer.from(bytes), at, hex), version))
        }
      }
    }
  }
  const after = process.memoryUsage()
  // A single array or buffer of that length would take a gigabyte.
  assert.ok(after.rss - before.rss < 256 * 1024 * 1024, `${after.rss - before.rss} bytes`)
})

test('a beginning is never refused where the whole is not, and the whole is where it is malformed', () => {
  const random = seeded(SEED)
  const outcome = (
    message: (typeof MESSAGES)[number],
    version: number,
    here: Uint8Array,
    bytes: number,
  ) => {
    try {
      message.examine(new Reader(here, bytes), version)
      return 'whole'
    } catch (error) {
      if (error instanceof MissingBytes) return 'missing'
      assert.ok(error instanceof ProtocolError, String(error))
      return 'refused'
    }
  }
  for (const message of MESSAGES) {
    for (const { version, bytes } of readFixtures(message, readText)) {
      for (let cut = 0; cut <= bytes.length; cut += 1 + below(random, bytes.length >> 3)) {
        const wanted = cut === bytes.length ? 'whole' : 'missing'
        const what = `${message.name} v${version}, ${cut} of ${bytes.length} bytes`
        assert.equal(outcome(message, version, bytes.subarray(0, cut), bytes.length), wanted, what)
      }
      for (let i = 0; i < 5; i++) {
        const mutant = mutate(bytes, random)
        const whole =
          attempt(() => message.decodePrefix(mutant, version)) === undefined ? 'refused' : 'whole'
        assert.equal(outcome(message, version, mutant, mutant.length), whole)
        const part = mutant.subarray(0, below(random, mutant.length + 1))
        if (whole === 'whole')
          assert.notEqual(outcome(message, version, part, mutant.length), 'refused')
      }
    }
  }
})

test('mutated headers give a header or a protocol error', () => {
  const random = seeded(SEED)
  for (const [apiKey, apiVersion] of [
    [0, 9],
    [3, 8],
    [18, 3],
    [18, 99],
  ] as const) {
    const writer = new Writer()
    const header = { apiKey, apiVersion, correlationId: 7, clientId: 'client' }
    encodeRequestHeader(writer, header)
    const bytes = join(writer.finish())
    assert.deepEqual(decodeRequestHeader(bytes).header, header)
    for (let i = 0; i < 2000; i++) {
      const mutant = mutate(bytes, random)
      attempt(() => decodeRequestHeader(mutant))
    }
  }
})

test('noise gives frames within the bound or a protocol error', () => {
  for (let seed = 0; seed < 300; seed++) {
    const random = seeded(SEED + seed)
    const splitter = new FrameSplitter({ frameBytesMax: 1000 })
    for (let i = 0; i < 20; i++) {
      const chunk = Buffer.from(Array.from({ length: below(random, 50) }, () => below(random, 4)))
      const frames = attempt(() => splitter.push(chunk))
      if (frames === undefined) break
      for (const frame of frames) assert.ok(frame.length <= 1000)
    }
  }
})
