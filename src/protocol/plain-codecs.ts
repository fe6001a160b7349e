// The codecs of types that hold no others: numbers, strings, bytes.

import type { Reader } from './reader.ts'
import type { ScalarKind } from './schema.ts'
import type { Writer } from './writer.ts'

/** Reads and writes values of one type in one version. */
export interface Codec {
  /** The fewest bytes a value takes; bounds array lengths before anything is allocated. */
  readonly bytesMin: number
  decode(reader: Reader): unknown
  encode(writer: Writer, value: unknown): void
}

/** What a codec is compiled for. */
export interface Version {
  readonly number: number
  /** Whether this version of the message uses compact lengths and tagged fields (KIP-482). */
  readonly flexible: boolean
}

/** Where null may stand in for a value, the type's own encoding of null is used. */
export interface Nullability {
  readonly nullable: boolean
}

type FixedKind = Exclude<ScalarKind, 'string' | 'bytes' | 'records'>

function fixed<T>(
  bytesMin: number,
  decode: (reader: Reader) => T,
  encode: (writer: Writer, value: T) => void,
): Codec {
  // The writer checks at run time that the value is what it should be.
  return { bytesMin, decode, encode: (writer, value) => encode(writer, value as T) }
}

export const SCALARS: { readonly [K in FixedKind]: Codec } = {
  // Kafka reads any byte but 0 as true.
  bool: {
    bytesMin: 1,
    decode: (reader) => reader.uint8() !== 0,
    encode: (writer, value) => {
      if (typeof value !== 'boolean') writer.fail(`${String(value)} is not a boolean`)
      writer.int8(value ? 1 : 0)
    },
  },
  int8: fixed(
    1,
    (reader) => reader.int8(),
    (writer, value) => writer.int8(value),
  ),
  int16: fixed(
    2,
    (reader) => reader.int16(),
    (writer, value) => writer.int16(value),
  ),
  int32: fixed(
    4,
    (reader) => reader.int32(),
    (writer, value) => writer.int32(value),
  ),
  int64: fixed(
    8,
    (reader) => reader.int64(),
    (writer, value) => writer.int64(value),
  ),
  int64OrMax: fixed(
    8,
    (reader) => reader.int64OrMax(),
    (writer, value) => writer.int64OrMax(value),
  ),
  uint16: fixed(
    2,
    (reader) => reader.uint16(),
    (writer, value) => writer.uint16(value),
  ),
  uint32: fixed(
    4,
    (reader) => reader.uint32(),
    (writer, value) => writer.uint32(value),
  ),
  float64: fixed(
    8,
    (reader) => reader.float64(),
    (writer, value) => writer.float64(value),
  ),
  uuid: fixed(
    16,
    (reader) => reader.uuid(),
    (writer, value) => writer.uuid(value),
  ),
}

/** The only negative length is -1, and only where null is allowed. */
export function checkLength(reader: Reader, length: number, { nullable }: Nullability): boolean {
  if (length >= 0) return true
  if (length !== -1) reader.fail(`length ${length}`)
  if (!nullable) reader.fail('null is not allowed')
  return false
}

export function refuseNull(writer: Writer, { nullable }: Nullability): void {
  if (!nullable) writer.fail('null is not allowed')
}

export function stringCodec({ flexible }: Version, options: Nullability): Codec {
  return {
    bytesMin: flexible ? 1 : 2,
    decode(reader) {
      const length = flexible ? reader.compactLength() : reader.int16()
      return checkLength(reader, length, options) ? reader.string(length) : null
    },
    encode(writer, value) {
      if (value !== null) return writer.string(value as string, flexible)
      refuseNull(writer, options)
      if (flexible) writer.unsignedVarint(0)
      else writer.int16(-1)
    },
  }
}

export function writeLength(writer: Writer, length: number, flexible: boolean): void {
  if (flexible) writer.unsignedVarint(length + 1)
  else writer.int32(length)
}

/** `bytes` and `records` have one encoding; a list of record batches is written as if it were one piece. */
export function bytesCodec({ flexible }: Version, options: Nullability): Codec {
  return {
    bytesMin: flexible ? 1 : 4,
    decode(reader) {
      const length = flexible ? reader.compactLength() : reader.int32()
      return checkLength(reader, length, options) ? reader.bytes(length) : null
    },
    encode(writer, value) {
      if (value === null) {
        refuseNull(writer, options)
        return writeLength(writer, -1, flexible)
      }
      if (value instanceof Uint8Array) {
        writeLength(writer, value.byteLength, flexible)
        return writer.bytes(value)
      }
      if (!Array.isArray(value)) return writer.fail(`${String(value)} is not bytes`)
      const parts = value as readonly Uint8Array[]
      let length = 0
      for (const part of parts) length += part.byteLength
      writeLength(writer, length, flexible)
      for (const part of parts) writer.bytes(part)
    },
  }
}
