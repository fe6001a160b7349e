// The generated pages are what the tables give.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { configurationPage, unlisted } from './docs-configuration.ts'
import { generatedPages } from './docs.ts'

for (const { path, text } of generatedPages()) {
  test(`${path} is up to date (else: npm run docs)`, () => {
    assert.equal(readFileSync(join(import.meta.dirname, '..', path), 'utf8'), text)
  })
}

test('the configuration page shows every config', () => {
  assert.deepEqual(unlisted(configurationPage()), [])
  assert.deepEqual(unlisted('').length > 50, true)
})
