import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAC_BYTES, equalMacs, hmacSha256 } from './mac.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

test('HMAC-SHA256 as in RFC 4231, test case 2, whole and in parts', () => {
  const expected = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'
  const whole = hmacSha256(bytes('Jefe'), [bytes('what do ya want for nothing?')])
  const parts = hmacSha256(bytes('Jefe'), [bytes('what do ya want '), bytes('for nothing?')])
  assert.equal(Buffer.from(whole).toString('hex'), expected)
  assert.equal(Buffer.from(parts).toString('hex'), expected)
  assert.equal(whole.byteLength, MAC_BYTES)
})

test('macs are equal when every byte is; another length is another mac', () => {
  const mac = hmacSha256(bytes('k'), [bytes('m')])
  assert.equal(equalMacs(mac, mac.slice()), true)
  assert.equal(equalMacs(mac, mac.subarray(1)), false)
  assert.equal(equalMacs(mac, new Uint8Array(0)), false)
  for (let i = 0; i < mac.byteLength; i++) {
    const other = mac.slice()
    other[i]! ^= 1
    assert.equal(equalMacs(mac, other), false)
  }
})
