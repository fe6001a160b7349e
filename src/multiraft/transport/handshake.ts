// The handshake of one connection as two pure state machines, the dialler's and the acceptor's: bytes in, the next step
// out. Each side proves that it knows the cluster secret by an HMAC-SHA256 over both sides' messages, which hold a fresh
// nonce of each, so that neither a recorded hello nor a recorded proof is ever worth anything again:
//
//   dialler  → hello    who I am, whom I mean to reach, which lane, my nonce
//   acceptor → welcome  who I am, my nonce, my proof
//   dialler  → proof    my proof
//   acceptor → accepted frames may follow
//
// Either side may answer `refused` with a reason instead. Without a secret the proofs are made with an empty key: they
// authenticate nobody then, but a recorded handshake still fails. Frames are not authenticated one by one; the secret
// keeps strangers and other clusters out, not somebody who can change bytes on the wire.

import { assert } from '../../base/assert.ts'
import type { NodeId } from '../../base/brand.ts'
import { equalMacs, hmacSha256 } from '../../records/mac.ts'
import {
  decodeMessage,
  encodeMessage,
  MESSAGE_BYTES_MAX,
  NONCE_BYTES,
  type HandshakeMessage,
  type Hello,
  type RefusalCause,
  type Welcome,
} from './handshake-messages.ts'
import type { Lane, NodeIdentity } from './transport.ts'

/** Why a handshake failed: what one side refuses, and what comes from no node of ours at all. */
export type HandshakeFault = RefusalCause | 'foreign'

export interface HandshakeFailure {
  readonly kind: 'failed'
  readonly fault: HandshakeFault
  readonly detail: string
  /** The node the other side says it is, where it came to that. Not verified. */
  readonly claimed: NodeId | undefined
  /** The refusal to send before closing; absent where the other side refused, or would not understand. */
  readonly send?: Uint8Array
}

interface More {
  /** The message is not whole yet. */
  readonly kind: 'more'
}

const MORE: More = { kind: 'more' }

/** Puts one message together from chunks. */
class MessageBuffer {
  #bytes = new Uint8Array(0)

  push(chunk: Uint8Array): HandshakeMessage | HandshakeFailure | More {
    const room = MESSAGE_BYTES_MAX + 1 - this.#bytes.byteLength
    const grown = new Uint8Array(this.#bytes.byteLength + Math.min(room, chunk.byteLength))
    grown.set(this.#bytes)
    grown.set(chunk.subarray(0, room), this.#bytes.byteLength)
    this.#bytes = grown
    const decoded = decodeMessage(grown)
    if (decoded.kind === 'incomplete') return MORE
    this.#bytes = new Uint8Array(0)
    if (decoded.kind === 'message') return decoded.message
    const { fault, detail } = decoded
    return fault === 'foreign'
      ? { kind: 'failed', fault, detail, claimed: undefined }
      : refuse(fault, detail)
  }
}

export function refuse(cause: RefusalCause, reason: string, claimed?: NodeId): HandshakeFailure {
  const send = encodeMessage({ kind: 'refused', cause, reason })
  return { kind: 'failed', fault: cause, detail: reason, claimed, send }
}

function refusedByPeer(
  message: { readonly cause: RefusalCause; readonly reason: string },
  claimed?: NodeId,
): HandshakeFailure {
  const detail = `refused by the other side: ${message.reason}`
  return { kind: 'failed', fault: message.cause, detail, claimed }
}

function outOfTurn(message: HandshakeMessage, claimed?: NodeId): HandshakeFailure {
  return refuse('malformed', `a ${message.kind} out of turn`, claimed)
}

function proofOf(
  side: 'dialler' | 'acceptor',
  secret: Uint8Array | undefined,
  hello: Hello,
  welcome: Omit<Welcome, 'proof'>,
): Uint8Array {
  // Each encoded message holds its own length, so the parts can't be shifted against one another.
  return hmacSha256(secret ?? new Uint8Array(0), [
    new TextEncoder().encode(`chronik ${side}\n`),
    encodeMessage(hello),
    encodeMessage({ ...welcome, proof: new Uint8Array(0) }),
  ])
}

const oneSided = (mine: boolean): string =>
  mine
    ? 'this node has a cluster secret, the other side has none'
    : 'the other side has a cluster secret, this node has none'

export interface DiallerOptions {
  readonly self: NodeIdentity
  readonly to: NodeId
  readonly lane: Lane
  readonly secret: Uint8Array | undefined
  readonly nonce: Uint8Array
}

export type DiallerStep =
  | More
  /** The other side is who it should be; `send` the proof, if it is still wanted. */
  | { readonly kind: 'verified'; readonly peer: NodeIdentity; readonly send: Uint8Array }
  | { readonly kind: 'accepted' }
  | HandshakeFailure

export class DiallerHandshake {
  readonly hello: Uint8Array
  readonly #options: DiallerOptions
  readonly #hello: Hello
  readonly #buffer = new MessageBuffer()
  #proved = false

  constructor(options: DiallerOptions) {
    const { self, to, lane, secret, nonce } = options
    assert(nonce.byteLength === NONCE_BYTES, `a nonce of ${nonce.byteLength} bytes`)
    this.#options = options
    this.#hello = { kind: 'hello', lane, hasSecret: secret !== undefined, from: self, to, nonce }
    this.hello = encodeMessage(this.#hello)
  }

  receive(chunk: Uint8Array): DiallerStep {
    const message = this.#buffer.push(chunk)
    if (message.kind === 'more' || message.kind === 'failed') return message
    if (message.kind === 'refused') return refusedByPeer(message, this.#options.to)
    if (message.kind === 'accepted' && this.#proved) return { kind: 'accepted' }
    if (message.kind === 'welcome' && !this.#proved) return this.#welcomed(message)
    return outOfTurn(message, this.#options.to)
  }

  #welcomed(welcome: Welcome): DiallerStep {
    const { to, secret } = this.#options
    const { from } = welcome
    if (from.nodeId !== to) {
      return refuse('wrong-node', `node ${from.nodeId} answers where node ${to} should be`, to)
    }
    if (welcome.hasSecret !== (secret !== undefined)) {
      return refuse('secret-one-sided', oneSided(secret !== undefined), to)
    }
    if (!equalMacs(welcome.proof, proofOf('acceptor', secret, this.#hello, welcome))) {
      return refuse('secret-mismatch', 'the cluster secrets differ', to)
    }
    this.#proved = true
    const proof = proofOf('dialler', secret, this.#hello, welcome)
    return { kind: 'verified', peer: from, send: encodeMessage({ kind: 'proof', proof }) }
  }
}

export interface AcceptorOptions {
  readonly self: NodeIdentity
  readonly isPeer: (nodeId: NodeId) => boolean
  readonly secret: Uint8Array | undefined
  readonly nonce: Uint8Array
}

export type AcceptorStep =
  | More
  | { readonly kind: 'send'; readonly send: Uint8Array }
  /** The other side is who it says. Answer with `acceptance()`, or with what `refuse` gives. */
  | { readonly kind: 'verified'; readonly peer: NodeIdentity; readonly lane: Lane }
  | HandshakeFailure

export class AcceptorHandshake {
  readonly #options: AcceptorOptions
  readonly #buffer = new MessageBuffer()
  #asked: { readonly hello: Hello; readonly welcome: Omit<Welcome, 'proof'> } | undefined

  constructor(options: AcceptorOptions) {
    assert(options.nonce.byteLength === NONCE_BYTES, `a nonce of ${options.nonce.byteLength} bytes`)
    this.#options = options
  }

  receive(chunk: Uint8Array): AcceptorStep {
    const message = this.#buffer.push(chunk)
    if (message.kind === 'more' || message.kind === 'failed') return message
    const claimed = this.#asked?.hello.from.nodeId
    if (message.kind === 'refused') return refusedByPeer(message, claimed)
    if (message.kind === 'hello' && this.#asked === undefined) return this.#greeted(message)
    if (message.kind === 'proof' && this.#asked !== undefined) return this.#proven(message.proof)
    return outOfTurn(message, claimed)
  }

  #greeted(hello: Hello): AcceptorStep {
    const { self, isPeer, secret, nonce } = this.#options
    const { nodeId } = hello.from
    if (nodeId === self.nodeId) {
      return refuse('own-id', `node ${nodeId} is this node: two nodes have one id`, nodeId)
    }
    if (hello.to !== self.nodeId) {
      return refuse('wrong-node', `this is node ${self.nodeId}, not node ${hello.to}`, nodeId)
    }
    if (!isPeer(nodeId)) {
      const reason = `node ${nodeId} is not in the list of peers of node ${self.nodeId}`
      return refuse('unknown-node', reason, nodeId)
    }
    const hasSecret = secret !== undefined
    if (hello.hasSecret !== hasSecret)
      return refuse('secret-one-sided', oneSided(hasSecret), nodeId)
    const welcome = { kind: 'welcome', hasSecret, from: self, nonce } as const
    this.#asked = { hello, welcome }
    const proof = proofOf('acceptor', secret, hello, welcome)
    return { kind: 'send', send: encodeMessage({ ...welcome, proof }) }
  }

  #proven(proof: Uint8Array): AcceptorStep {
    assert(this.#asked !== undefined, 'a proof before the hello')
    const { hello, welcome } = this.#asked
    if (!equalMacs(proof, proofOf('dialler', this.#options.secret, hello, welcome))) {
      return refuse('secret-mismatch', 'the cluster secrets differ', hello.from.nodeId)
    }
    return { kind: 'verified', peer: hello.from, lane: hello.lane }
  }
}

export function acceptance(): Uint8Array {
  return encodeMessage({ kind: 'accepted' })
}
