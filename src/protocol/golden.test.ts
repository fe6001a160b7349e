// Golden vectors: bytes that Kafka's own classes wrote and read (see test/compat/codec), checked here without Java.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { join } from './message.ts'
import { MESSAGES, versionsOf } from './testing/catalogue.ts'
import { readFixtures } from './testing/fixtures.ts'

const readText = (path: string): string => readFileSync(path, 'utf8')

for (const message of MESSAGES) {
  test(`${message.name} reads and writes what Kafka does`, () => {
    const vectors = readFixtures(message, readText)
    for (const { version, bytes, value } of vectors) {
      assert.deepEqual(message.decode(bytes, version), value, `read version ${version}`)
      const written = join(message.encode(value, version))
      assert.equal(hex(written), hex(bytes), `write version ${version}`)
    }
    const covered = new Set(vectors.map((vector) => vector.version))
    assert.deepEqual([...covered], versionsOf(message))
  })
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
