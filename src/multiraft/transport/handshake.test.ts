// The two sides of the handshake against each other, against replays, and against other settings.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asNodeId } from '../../base/brand.ts'
import {
  acceptance,
  AcceptorHandshake,
  DiallerHandshake,
  refuse,
  type AcceptorStep,
  type DiallerStep,
} from './handshake.ts'
import { decodeMessage, encodeMessage, NONCE_BYTES } from './handshake-messages.ts'
import type { NodeIdentity } from './transport.ts'

const secretOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const nonce = (fill: number): Uint8Array => new Uint8Array(NONCE_BYTES).fill(fill)
const process = (nodeId: number): NodeIdentity => ({
  nodeId: asNodeId(nodeId),
  directoryId: `dir-${nodeId}`,
  bootId: `boot-${nodeId}`,
})

interface Setting {
  readonly dialler?: number
  readonly to?: number
  readonly acceptor?: number
  readonly peers?: readonly number[]
  readonly secrets?: readonly [string | undefined, string | undefined]
}

function pair(setting: Setting = {}): { dialler: DiallerHandshake; acceptor: AcceptorHandshake } {
  const { dialler = 1, to = 2, acceptor = 2, peers = [1, 3] } = setting
  const [mine, yours] = (setting.secrets ?? ['s', 's']).map((text) =>
    text === undefined ? undefined : secretOf(text),
  )
  return {
    dialler: new DiallerHandshake({
      self: process(dialler),
      to: asNodeId(to),
      lane: 'data',
      secret: mine,
      nonce: nonce(1),
    }),
    acceptor: new AcceptorHandshake({
      self: process(acceptor),
      isPeer: (nodeId) => peers.includes(nodeId),
      secret: yours,
      nonce: nonce(2),
    }),
  }
}

function sent(step: DiallerStep | AcceptorStep): Uint8Array {
  assert.ok('send' in step && step.send !== undefined, `nothing to send: ${step.kind}`)
  return step.send
}

/** What each side found, where the acceptor refuses the hello. */
function refusal(setting: Setting): { acceptor: string; dialler: string } {
  const { dialler, acceptor } = pair(setting)
  const atAcceptor = acceptor.receive(dialler.hello)
  assert.ok(atAcceptor.kind === 'failed')
  const atDialler = dialler.receive(sent(atAcceptor))
  assert.ok(atDialler.kind === 'failed')
  assert.equal(atDialler.fault, atAcceptor.fault)
  assert.ok(atDialler.detail.endsWith(atAcceptor.detail), 'both logs tell the same')
  return { acceptor: atAcceptor.fault, dialler: atDialler.fault }
}

for (const secrets of [
  ['s', 's'],
  [undefined, undefined],
] as const) {
  test(`both sides learn who the other is, ${secrets[0] ? 'with' : 'without'} a secret`, () => {
    const { dialler, acceptor } = pair({ secrets })
    const welcome = acceptor.receive(dialler.hello)
    const verified = dialler.receive(sent(welcome))
    assert.ok(verified.kind === 'verified')
    assert.deepEqual(verified.peer, process(2))
    const proven = acceptor.receive(verified.send)
    assert.deepEqual(proven, { kind: 'verified', peer: process(1), lane: 'data' })
    assert.deepEqual(dialler.receive(acceptance()), { kind: 'accepted' })
  })
}

test('messages may come byte by byte', () => {
  const { dialler, acceptor } = pair()
  const last = <Step extends { readonly kind: string }>(
    bytes: Uint8Array,
    receive: (chunk: Uint8Array) => Step,
  ): Step => {
    const steps = [...bytes].map((byte) => receive(Uint8Array.of(byte)))
    const step = steps.pop()
    assert.ok(step !== undefined && steps.every(({ kind }) => kind === 'more'))
    return step
  }
  const welcome = last(dialler.hello, (chunk) => acceptor.receive(chunk))
  const verified = last(sent(welcome), (chunk) => dialler.receive(chunk))
  assert.equal(last(sent(verified), (chunk) => acceptor.receive(chunk)).kind, 'verified')
})

test('hellos that do not fit are refused, with the same words on both sides', () => {
  const both = (fault: string): object => ({ acceptor: fault, dialler: fault })
  assert.deepEqual(refusal({ acceptor: 3 }), both('wrong-node'))
  assert.deepEqual(refusal({ dialler: 5 }), both('unknown-node'))
  assert.deepEqual(refusal({ dialler: 2 }), both('own-id'))
  assert.deepEqual(refusal({ secrets: ['s', undefined] }), both('secret-one-sided'))
  assert.deepEqual(refusal({ secrets: [undefined, 's'] }), both('secret-one-sided'))
})

test('secrets that differ are found by the dialler, who tells the acceptor', () => {
  const { dialler, acceptor } = pair({ secrets: ['one', 'two'] })
  const atDialler = dialler.receive(sent(acceptor.receive(dialler.hello)))
  assert.ok(atDialler.kind === 'failed' && atDialler.fault === 'secret-mismatch')
  const atAcceptor = acceptor.receive(sent(atDialler))
  assert.ok(atAcceptor.kind === 'failed' && atAcceptor.fault === 'secret-mismatch')
  assert.equal(atAcceptor.claimed, 1)
})

test('an acceptor with another id than expected is refused, though it has the secret', () => {
  const { dialler } = pair()
  const other = new AcceptorHandshake({
    self: process(3),
    isPeer: () => true,
    secret: secretOf('s'),
    nonce: nonce(2),
  })
  // As a node that does not check would answer.
  const hello = new DiallerHandshake({
    self: process(1),
    to: asNodeId(3),
    lane: 'data',
    secret: secretOf('s'),
    nonce: nonce(1),
  }).hello
  const step = dialler.receive(sent(other.receive(hello)))
  assert.ok(step.kind === 'failed' && step.fault === 'wrong-node')
})

test('a recorded handshake is worth nothing the second time, with or without a secret', () => {
  for (const secret of ['s', undefined]) {
    const { dialler, acceptor } = pair({ secrets: [secret, secret] })
    const verified = dialler.receive(sent(acceptor.receive(dialler.hello)))
    const again = new AcceptorHandshake({
      self: process(2),
      isPeer: () => true,
      secret: secret === undefined ? undefined : secretOf(secret),
      nonce: nonce(3),
    })
    assert.equal(again.receive(dialler.hello).kind, 'send')
    const step = again.receive(sent(verified))
    assert.ok(step.kind === 'failed' && step.fault === 'secret-mismatch')
    assert.ok(step.send !== undefined)
  }
})

test("an acceptor's own proof does not pass for a dialler's", () => {
  const { dialler, acceptor } = pair()
  const decoded = decodeMessage(sent(acceptor.receive(dialler.hello)))
  assert.ok(decoded.kind === 'message' && decoded.message.kind === 'welcome')
  const { proof } = decoded.message
  const step = acceptor.receive(encodeMessage({ kind: 'proof', proof }))
  assert.ok(step.kind === 'failed' && step.fault === 'secret-mismatch')
})

test('a changed lane or identity does not pass, though every checksum is right', () => {
  const { dialler, acceptor } = pair()
  const decoded = decodeMessage(dialler.hello)
  assert.ok(decoded.kind === 'message' && decoded.message.kind === 'hello')
  const forged = encodeMessage({ ...decoded.message, lane: 'control' })
  const step = dialler.receive(sent(acceptor.receive(forged)))
  assert.ok(step.kind === 'failed' && step.fault === 'secret-mismatch')
})

test('messages out of turn, foreign bytes and other versions end the handshake', () => {
  const fault = (step: DiallerStep | AcceptorStep): string =>
    step.kind === 'failed' ? step.fault : step.kind
  assert.equal(fault(pair().dialler.receive(acceptance())), 'malformed')
  assert.equal(fault(pair().acceptor.receive(acceptance())), 'malformed')
  const { dialler, acceptor } = pair()
  acceptor.receive(dialler.hello)
  assert.equal(fault(acceptor.receive(dialler.hello)), 'malformed')
  const foreign = pair().acceptor.receive(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
  assert.ok(foreign.kind === 'failed' && foreign.send === undefined, 'strangers get no answer')
  const newer = pair().dialler.hello.slice()
  new DataView(newer.buffer).setUint16(4, 2)
  const step = pair().acceptor.receive(newer)
  assert.equal(fault(step), 'version')
  const told = pair().dialler.receive(sent(step))
  assert.ok(told.kind === 'failed' && told.fault === 'version')
  assert.match(told.detail, /version 2 is newer than 1/)
})

test('a refusal of ours says its cause', () => {
  const told = pair().dialler.receive(sent(refuse('occupied', 'another is here')))
  assert.ok(told.kind === 'failed' && told.fault === 'occupied' && told.claimed === 2)
  assert.equal(told.send, undefined)
})
