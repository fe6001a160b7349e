// The messages of the handshake on the Raft port and their bytes. All of them, of every protocol version there will be,
// share one envelope, so that a node can name the version it refuses and read a refusal from a newer one:
//
//   magic u32 | version u16 | kind u8 | 0 u8 | body length u16 | body | CRC-32C u32 of all before it
//
// Numbers are big-endian; a text is a length (u8) and UTF-8. The encoding is canonical: one message, one byte string.

import { asNodeId, type NodeId } from '../../base/brand.ts'
import { crc32c } from '../../base/crc32c.ts'
import type { Lane, NodeIdentity } from './transport.ts'

const MAGIC_BYTES = [...'CHRN'].map((letter) => letter.charCodeAt(0))
export const PROTOCOL_VERSION = 1
export const NONCE_BYTES = 32
/** Of `directoryId` and `bootId`, in UTF-8. */
export const ID_BYTES_MAX = 64

const HEADER_BYTES = 10
const CRC_BYTES = 4
const BODY_BYTES_MAX = 512
const PROOF_BYTES = 32
const REASON_BYTES_MAX = 255
export const MESSAGE_BYTES_MAX = HEADER_BYTES + BODY_BYTES_MAX + CRC_BYTES

/** The dialler's first word. */
export interface Hello {
  readonly kind: 'hello'
  readonly lane: Lane
  readonly hasSecret: boolean
  readonly from: NodeIdentity
  /** The node it means to reach. */
  readonly to: NodeId
  readonly nonce: Uint8Array
}

/** The acceptor's answer; `proof` covers the hello and this message. */
export interface Welcome {
  readonly kind: 'welcome'
  readonly hasSecret: boolean
  readonly from: NodeIdentity
  readonly nonce: Uint8Array
  readonly proof: Uint8Array
}

/** The dialler's proof over hello and welcome. */
export interface Proof {
  readonly kind: 'proof'
  readonly proof: Uint8Array
}

/** From here on the dialler may send frames. */
export interface Accepted {
  readonly kind: 'accepted'
}

/** Either side's last word. */
export interface Refused {
  readonly kind: 'refused'
  readonly cause: RefusalCause
  /** For the other side's log. */
  readonly reason: string
}

export type HandshakeMessage = Hello | Welcome | Proof | Accepted | Refused

const KINDS = { hello: 1, welcome: 2, proof: 3, accepted: 4, refused: 5 } as const
const LANES = { control: 0, data: 1 } as const satisfies Record<Lane, number>

/** A cause's number is its place here, for ever; `other` is how an unknown number reads. */
const REFUSAL_CAUSES = [
  'other',
  /** A protocol version that this node does not speak. */
  'version',
  /** The hello names another node as the one to reach. */
  'wrong-node',
  /** The dialler is not in this node's list of peers. */
  'unknown-node',
  /** The dialler says it is this very node. */
  'own-id',
  /** One side has a cluster secret, the other has none. */
  'secret-one-sided',
  /** Both have one, not the same. */
  'secret-mismatch',
  /** Another process with the dialler's node id is connected. */
  'occupied',
  /** A data lane without its control lane. */
  'control-first',
  /** A newer connection of the same node and lane stands. */
  'superseded',
  'malformed',
] as const

export type RefusalCause = (typeof REFUSAL_CAUSES)[number]

export function encodeMessage(message: HandshakeMessage): Uint8Array {
  const body = new BodyWriter()
  writeBody(body, message)
  const content = body.bytes()
  const bytes = new Uint8Array(HEADER_BYTES + content.byteLength + CRC_BYTES)
  const view = new DataView(bytes.buffer)
  bytes.set(MAGIC_BYTES)
  view.setUint16(4, PROTOCOL_VERSION)
  view.setUint8(6, KINDS[message.kind])
  view.setUint16(8, content.byteLength)
  bytes.set(content, HEADER_BYTES)
  const crcAt = bytes.byteLength - CRC_BYTES
  view.setUint32(crcAt, crc32c(bytes.subarray(0, crcAt)))
  return bytes
}

function writeBody(body: BodyWriter, message: HandshakeMessage): void {
  switch (message.kind) {
    case 'hello':
      body.u8(LANES[message.lane])
      body.u8(message.hasSecret ? 1 : 0)
      body.u32(message.to)
      body.identity(message.from)
      body.raw(message.nonce)
      return
    case 'welcome':
      body.u8(message.hasSecret ? 1 : 0)
      body.identity(message.from)
      body.raw(message.nonce)
      body.raw(message.proof)
      return
    case 'proof':
      body.raw(message.proof)
      return
    case 'accepted':
      return
    case 'refused':
      body.u8(REFUSAL_CAUSES.indexOf(message.cause))
      body.text(message.reason.slice(0, REASON_BYTES_MAX).replace(/[^\x20-\x7e]/g, '?'))
      return
  }
}

export type Decoded =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'message'; readonly message: HandshakeMessage }
  /** `foreign`: no node of ours talks like this. */
  | {
      readonly kind: 'fault'
      readonly fault: 'foreign' | 'version' | 'malformed'
      readonly detail: string
    }

/**
 * Reads the one message that `bytes` must hold. The two sides take turns, so bytes after it are a fault; no more than
 * `MESSAGE_BYTES_MAX` are ever needed.
 */
export function decodeMessage(bytes: Uint8Array): Decoded {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (MAGIC_BYTES.some((byte, i) => i < bytes.byteLength && bytes[i] !== byte)) {
    return { kind: 'fault', fault: 'foreign', detail: 'these are not the bytes of a Chronik node' }
  }
  if (bytes.byteLength < HEADER_BYTES) return { kind: 'incomplete' }
  const version = view.getUint16(4)
  const kind = view.getUint8(6)
  // A refusal keeps its layout in every version: it is how a newer node says that it can't talk to us.
  if (version !== PROTOCOL_VERSION && kind !== KINDS.refused) {
    const age = version > PROTOCOL_VERSION ? 'newer' : 'older'
    const detail = `protocol version ${version} is ${age} than ${PROTOCOL_VERSION}, the one spoken here`
    return { kind: 'fault', fault: 'version', detail }
  }
  const bodyBytes = view.getUint16(8)
  if (bodyBytes > BODY_BYTES_MAX) return malformed(`a body of ${bodyBytes} bytes`)
  const total = HEADER_BYTES + bodyBytes + CRC_BYTES
  if (bytes.byteLength < total) return { kind: 'incomplete' }
  if (bytes.byteLength > total) return malformed('bytes after the message')
  const crcAt = total - CRC_BYTES
  if (view.getUint32(crcAt) !== crc32c(bytes.subarray(0, crcAt))) {
    return malformed('the checksum does not match')
  }
  if (view.getUint8(7) !== 0) return malformed('the reserved byte is set')
  const body = new BodyReader(bytes.subarray(HEADER_BYTES, crcAt))
  const message = readBody(body, kind)
  if (message === undefined || !body.atEnd) return malformed(`kind ${kind} does not read`)
  return { kind: 'message', message }
}

function malformed(detail: string): Decoded {
  return { kind: 'fault', fault: 'malformed', detail }
}

function readBody(body: BodyReader, kind: number): HandshakeMessage | undefined {
  switch (kind) {
    case KINDS.hello: {
      const lane = body.u8()
      const hasSecret = body.u8()
      const to = asNodeId(body.u32())
      const from = body.identity()
      const nonce = body.raw(NONCE_BYTES)
      if (lane > 1 || hasSecret > 1 || from === undefined) return undefined
      return {
        kind: 'hello',
        lane: lane === LANES.control ? 'control' : 'data',
        hasSecret: hasSecret === 1,
        from,
        to,
        nonce,
      }
    }
    case KINDS.welcome: {
      const hasSecret = body.u8()
      const from = body.identity()
      const nonce = body.raw(NONCE_BYTES)
      const proof = body.raw(PROOF_BYTES)
      if (hasSecret > 1 || from === undefined) return undefined
      return { kind: 'welcome', hasSecret: hasSecret === 1, from, nonce, proof }
    }
    case KINDS.proof:
      return { kind: 'proof', proof: body.raw(PROOF_BYTES) }
    case KINDS.accepted:
      return { kind: 'accepted' }
    case KINDS.refused: {
      const cause = REFUSAL_CAUSES[body.u8()] ?? 'other'
      const reason = body.text()
      if (reason === undefined) return undefined
      return { kind: 'refused', cause, reason: reason.replace(/[^\x20-\x7e]/g, '?') }
    }
    default:
      return undefined
  }
}

class BodyWriter {
  readonly #bytes = new Uint8Array(BODY_BYTES_MAX)
  readonly #view = new DataView(this.#bytes.buffer)
  #at = 0

  u8(value: number): void {
    this.#view.setUint8(this.#at, value)
    this.#at += 1
  }

  u32(value: number): void {
    this.#view.setUint32(this.#at, value)
    this.#at += 4
  }

  raw(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#at)
    this.#at += bytes.byteLength
  }

  text(text: string): void {
    const bytes = new TextEncoder().encode(text)
    this.u8(bytes.byteLength)
    this.raw(bytes)
  }

  identity(identity: NodeIdentity): void {
    this.u32(identity.nodeId)
    this.text(identity.directoryId)
    this.text(identity.bootId)
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#at)
  }
}

/** Reading past the end gives zeros and leaves `atEnd` false. */
class BodyReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.byteLength
  }

  u8(): number {
    return this.raw(1)[0] ?? 0
  }

  u32(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.raw(4)
    return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
  }

  raw(count: number): Uint8Array {
    const bytes = this.#bytes.slice(this.#at, this.#at + count)
    this.#at += count
    return bytes
  }

  text(): string | undefined {
    const bytes = this.raw(this.u8())
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    } catch {
      // Not UTF-8: the message does not read.
      return undefined
    }
  }

  identity(): NodeIdentity | undefined {
    const nodeId = asNodeId(this.u32())
    const directoryId = this.text()
    const bootId = this.text()
    if (directoryId === undefined || bootId === undefined) return undefined
    if (!isId(directoryId) || !isId(bootId)) return undefined
    return { nodeId, directoryId, bootId }
  }
}

/** Whether a directory id or boot id has a length that the messages carry. */
export function isId(id: string): boolean {
  const { byteLength } = new TextEncoder().encode(id)
  return byteLength > 0 && byteLength <= ID_BYTES_MAX
}
