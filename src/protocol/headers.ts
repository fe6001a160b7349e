// Request and response headers. Which header a message has follows from its API and version: header
// 2 (request) and 1 (response) in flexible versions, 1 and 0 before. Two exceptions are Kafka's:
// the client id stays a plain nullable string in every header, and the ApiVersions response always
// has header 0, since a client that asks does not know yet what the broker speaks (KIP-511).

import { API_VERSIONS_KEY, apiInfo } from './api-keys.ts'
import { ProtocolError } from './errors.ts'
import { Reader } from './reader.ts'
import type { Writer } from './writer.ts'

export interface RequestHeader {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string | null
}

export interface RequestFrame {
  readonly header: RequestHeader
  /** What follows the header, not copied. */
  readonly body: Uint8Array
}

/** With so many bytes of a request it is known which API it is of, and in which version. */
export const REQUEST_HEAD_BYTES = 4

/** `head`: at least the first REQUEST_HEAD_BYTES of a request. */
export function decodeRequestHead(head: Uint8Array): Pick<RequestHeader, 'apiKey' | 'apiVersion'> {
  const reader = new Reader(head)
  reader.field = 'request header'
  return { apiKey: reader.int16(), apiVersion: reader.int16() }
}

/**
 * Splits a frame (without its size) into header and body. The version need not be one that we speak, but the API must be
 * one that Kafka has: without knowing it, the header's own form is unknown.
 */
export function decodeRequestHeader(frame: Uint8Array): RequestFrame {
  const reader = new Reader(frame)
  return { header: readRequestHeader(reader), body: reader.rest() }
}

/** As `decodeRequestHeader`; the reader stands before the body then. */
export function readRequestHeader(reader: Reader): RequestHeader {
  reader.field = 'request header'
  const apiKey = reader.int16()
  const apiVersion = reader.int16()
  const correlationId = reader.int32()
  const info = apiInfo(apiKey)
  if (info === undefined) throw new ProtocolError(`unknown api key ${apiKey}`)
  const length = reader.int16()
  if (length < -1) reader.fail(`client id of length ${length}`)
  const clientId = length === -1 ? null : reader.string(length)
  if (apiVersion >= info.flexibleSince) skipTaggedFields(reader)
  return { apiKey, apiVersion, correlationId, clientId }
}

export function encodeRequestHeader(writer: Writer, header: RequestHeader): void {
  const { apiKey, apiVersion, correlationId, clientId } = header
  writer.field = 'request header'
  writer.int16(apiKey)
  writer.int16(apiVersion)
  writer.int32(correlationId)
  if (clientId === null) writer.int16(-1)
  else writer.string(clientId, false)
  const info = apiInfo(apiKey)
  if (info === undefined) writer.fail(`unknown api key ${apiKey}`)
  if (apiVersion >= info.flexibleSince) writer.unsignedVarint(0)
}

export interface ResponseFrame {
  readonly correlationId: number
  /** What follows the header, not copied. */
  readonly body: Uint8Array
}

/** The correlation id is always the first thing in a response; which request it answers decides how the rest is read. */
export function decodeResponseHeader(
  frame: Uint8Array,
  request: { readonly apiKey: number; readonly apiVersion: number },
): ResponseFrame {
  const reader = new Reader(frame)
  reader.field = 'response header'
  const correlationId = reader.int32()
  if (hasTaggedResponseHeader(request)) skipTaggedFields(reader)
  return { correlationId, body: reader.rest() }
}

/** Reads only the correlation id, to find the request that a response answers. */
export function peekCorrelationId(frame: Uint8Array): number {
  return new Reader(frame).int32()
}

export function encodeResponseHeader(
  writer: Writer,
  request: { readonly apiKey: number; readonly apiVersion: number },
  correlationId: number,
): void {
  writer.field = 'response header'
  writer.int32(correlationId)
  if (hasTaggedResponseHeader(request)) writer.unsignedVarint(0)
}

function hasTaggedResponseHeader(request: {
  readonly apiKey: number
  readonly apiVersion: number
}): boolean {
  if (request.apiKey === API_VERSIONS_KEY) return false
  const info = apiInfo(request.apiKey)
  if (info === undefined) throw new ProtocolError(`unknown api key ${request.apiKey}`)
  return request.apiVersion >= info.flexibleSince
}

/**
 * Of one that we do not know. Kafka has no bound, and its headers no tagged fields so far; without one, random bytes would
 * now and then announce a field as large as their frame, which nothing refutes before it has come.
 */
const TAGGED_FIELD_BYTES_MAX = 4096

/** Headers have no tagged fields that we know; KIP-482 wants the tags ascending. */
function skipTaggedFields(reader: Reader): void {
  const count = reader.unsignedVarint()
  if (count * 2 > reader.remaining) reader.fail(`${count} tagged fields`)
  let previous = -1
  for (let i = 0; i < count; i++) {
    const tag = reader.unsignedVarint()
    if (tag <= previous) reader.fail(`tag ${tag} after tag ${previous}`)
    previous = tag
    const size = reader.unsignedVarint()
    if (size > TAGGED_FIELD_BYTES_MAX) reader.fail(`tagged field of ${size} bytes`)
    reader.skip(size)
  }
}
