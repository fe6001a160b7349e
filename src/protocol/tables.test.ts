// The tables of error codes and API keys.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { API_KEYS, apiInfo } from './api-keys.ts'
import { apiByKey, APIS } from './apis.ts'
import { ErrorCode, errorMessage, errorName, isRetriable, KAFKA_ERRORS } from './error-codes.ts'

test('error codes are unique and dense', () => {
  const codes = Object.values(KAFKA_ERRORS).map((error) => error.code)
  assert.deepEqual(
    codes,
    Array.from({ length: 135 }, (_, i) => i - 1),
  )
  assert.equal(ErrorCode.NOT_LEADER_OR_FOLLOWER, 6)
  assert.equal(errorName(6), 'NOT_LEADER_OR_FOLLOWER')
  assert.equal(errorName(9999), 'UNKNOWN_SERVER_ERROR')
  assert.equal(errorMessage(0), 'No error.')
  assert.equal(isRetriable(6), true)
  assert.equal(isRetriable(1), false)
})

test('API keys lead to names', () => {
  assert.deepEqual(apiInfo(0), { key: 0, flexibleSince: 9, name: 'Produce' })
  assert.equal(apiInfo(4), undefined)
  assert.equal(apiInfo(-1), undefined)
})

test('every API that we have the messages of agrees with the table of keys', () => {
  for (const [name, api] of Object.entries(APIS)) {
    const info = apiInfo(api.key)
    assert.equal(api.name, name)
    assert.deepEqual(info, { key: api.key, flexibleSince: api.flexibleSince, name })
    assert.equal(apiByKey(api.key), api)
    assert.ok(api.minVersion <= api.maxVersion)
  }
  assert.equal(Object.keys(APIS).length, 30)
  assert.equal(Object.keys(API_KEYS).length, 89)
})
