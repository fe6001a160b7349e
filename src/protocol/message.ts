// A message is a struct with a range of versions. Requests and responses come in pairs (`api`);
// records that are persisted or travel inside other messages carry their version themselves, as a
// leading int16 (`versioned`).

import { compileStruct } from './codec.ts'
import { EncodeError, ProtocolError } from './errors.ts'
import type { Codec } from './plain-codecs.ts'
import { Reader } from './reader.ts'
import { struct, type Field, type In, type Out, type StructNode } from './schema.ts'
import { Writer } from './writer.ts'

export interface MessageOptions {
  readonly name: string
  /** First and last version that can be read and written. */
  readonly versions: readonly [min: number, max: number]
  /** First version with compact lengths and tagged fields (KIP-482); never, when absent. */
  readonly flexibleSince?: number
}

/** Reads `Value`; writes `Input`, which may leave out fields that have a default. */
export class Message<Value, Input> {
  readonly name: string
  readonly minVersion: number
  readonly maxVersion: number
  readonly flexibleSince: number
  readonly node: StructNode
  /** Filled once per version, with what depends on nothing but the schema. */
  readonly #codecs: (Codec | undefined)[] = []

  constructor(options: MessageOptions, node: StructNode) {
    this.name = options.name
    this.minVersion = options.versions[0]
    this.maxVersion = options.versions[1]
    this.flexibleSince = options.flexibleSince ?? Infinity
    this.node = node
  }

  isSupported(version: number): boolean {
    return Number.isInteger(version) && version >= this.minVersion && version <= this.maxVersion
  }

  isFlexible(version: number): boolean {
    return version >= this.flexibleSince
  }

  /** Reads one whole message; bytes after it are an error, like everything else that is malformed (`ProtocolError`). */
  decode(bytes: Uint8Array, version: number): Value {
    const codec = this.#codec(version)
    const reader = new Reader(bytes)
    try {
      const value = codec.decode(reader)
      if (reader.remaining > 0) throw new ProtocolError(`${reader.remaining} bytes too many`)
      // The codec was compiled from the schema that the type was inferred from.
      return value as Value
    } catch (error) {
      throw this.#named(error, version)
    }
  }

  /** As `decode`, for a sender that may know later fields: bytes after the message are left unread. */
  decodePrefix(bytes: Uint8Array, version: number): Value {
    const codec = this.#codec(version)
    try {
      return codec.decode(new Reader(bytes)) as Value
    } catch (error) {
      throw this.#named(error, version)
    }
  }

  /**
   * Throws ProtocolError where no message in this version begins so, MissingBytes where one might: then all that the reader
   * has was well-formed. Returns where a whole message was read.
   */
  examine(beginning: Reader, version: number): void {
    const codec = this.#codec(version)
    try {
      codec.decode(beginning)
    } catch (error) {
      throw this.#named(error, version)
    }
  }

  /** Appends the message. Throws `EncodeError` when the value does not fit the version. */
  encodeTo(writer: Writer, value: Input, version: number): void {
    if (!this.isSupported(version)) {
      throw new EncodeError(`${this.name} has no version ${version}`)
    }
    const codec = this.#codec(version)
    try {
      codec.encode(writer, value)
    } catch (error) {
      throw this.#named(error, version)
    }
  }

  encode(value: Input, version: number): Uint8Array[] {
    const writer = new Writer()
    this.encodeTo(writer, value, version)
    return writer.finish()
  }

  #codec(version: number): Codec {
    const known = this.#codecs[version]
    if (known !== undefined) return known
    if (!this.isSupported(version)) {
      throw new ProtocolError(`${this.name} has no version ${version}`)
    }
    const codec = compileStruct(this.node, version, this.isFlexible(version))
    this.#codecs[version] = codec
    return codec
  }

  #named(error: unknown, version: number): unknown {
    if (error instanceof Error) error.message = `${this.name} v${version}: ${error.message}`
    return error
  }
}

export interface Api<
  Request = unknown,
  RequestInput = unknown,
  Response = unknown,
  ResponseInput = unknown,
  Key extends number = number,
  Name extends string = string,
> {
  readonly key: Key
  readonly name: Name
  readonly minVersion: number
  readonly maxVersion: number
  readonly flexibleSince: number
  readonly request: Message<Request, RequestInput>
  readonly response: Message<Response, ResponseInput>
}

/** Any API, when which one does not matter. */
export type AnyApi = Api

export function api<
  const Key extends number,
  const Name extends string,
  Request extends StructNode,
  Response extends StructNode,
>(definition: {
  readonly key: Key
  readonly name: Name
  readonly versions: readonly [min: number, max: number]
  readonly flexibleSince?: number
  readonly request: Request
  readonly response: Response
}): Api<Out<Request>, In<Request>, Out<Response>, In<Response>, Key, Name> {
  const { key, name, versions, flexibleSince = Infinity } = definition
  return {
    key,
    name,
    minVersion: versions[0],
    maxVersion: versions[1],
    flexibleSince,
    request: new Message({ name: `${name}Request`, versions, flexibleSince }, definition.request),
    response: new Message(
      { name: `${name}Response`, versions, flexibleSince },
      definition.response,
    ),
  }
}

/** What a server reads. */
export type RequestOf<A> = A extends { readonly request: Message<infer R, infer _> } ? R : never
/** What a client writes. */
export type RequestInputOf<A> = A extends { readonly request: Message<infer _, infer R> }
  ? R
  : never
/** What a client reads. */
export type ResponseOf<A> = A extends { readonly response: Message<infer R, infer _> } ? R : never
/** What a server writes. */
export type ResponseInputOf<A> = A extends { readonly response: Message<infer _, infer R> }
  ? R
  : never

export type ValueOf<M> = M extends Message<infer V, infer _> ? V : never
export type InputOf<M> = M extends Message<infer _, infer I> ? I : never

/** A record that carries its version as a leading int16: Kafka's persisted records and the consumer protocol's blobs. */
export function versioned<const F extends readonly Field[]>(
  options: MessageOptions & { readonly fields: F },
): Message<Out<ReturnType<typeof struct<F>>>, In<ReturnType<typeof struct<F>>>> {
  return new Message(options, struct(options.fields))
}

/** The version as an int16, then the record; in one piece. */
export function encodeVersioned<Value, Input>(
  message: Message<Value, Input>,
  version: number,
  value: Input,
): Uint8Array {
  const writer = new Writer()
  writer.int16(version)
  message.encodeTo(writer, value, version)
  return join(writer.finish())
}

/**
 * Reads what `encodeVersioned` wrote. A version beyond the last one known is refused, or, `newerAs: 'last'`, read as the
 * last one known with bytes after it ignored: Kafka's rule for the consumer protocol (`ConsumerProtocol`).
 */
export function decodeVersioned<Value, Input>(
  message: Message<Value, Input>,
  bytes: Uint8Array,
  options: { readonly newerAs?: 'last' } = {},
): { readonly version: number; readonly value: Value } {
  const reader = new Reader(bytes)
  const version = reader.int16()
  const body = reader.rest()
  if (options.newerAs !== 'last') return { version, value: message.decode(body, version) }
  const readAs = Math.min(version, message.maxVersion)
  return { version, value: message.decodePrefix(body, readAs) }
}

/** The int16 that opens a versioned record. In the keys of __consumer_offsets it tells which kind of record it is. */
export function peekVersion(bytes: Uint8Array): number {
  return new Reader(bytes).int16()
}

export function join(chunks: readonly Uint8Array[]): Uint8Array {
  const [first] = chunks
  return chunks.length === 1 && first !== undefined ? first : new Uint8Array(Buffer.concat(chunks))
}
