// Whole requests and responses, from and to the frames that travel: an int32 size, a header, a
// body.

import { decodeResponseHeader, encodeRequestHeader, encodeResponseHeader } from './headers.ts'
import type { Message } from './message.ts'
import { Writer } from './writer.ts'

interface Requests<Request, Input> {
  readonly key: number
  readonly request: Message<Request, Input>
}

interface Responses<Response, Input> {
  readonly key: number
  readonly response: Message<Response, Input>
}

/** A request with its size prefix, as chunks to be written in order. */
export function encodeRequest<Request, Input>(
  api: Requests<Request, Input>,
  version: number,
  header: { readonly correlationId: number; readonly clientId: string | null },
  body: Input,
): Uint8Array[] {
  return framed((writer) => {
    encodeRequestHeader(writer, { apiKey: api.key, apiVersion: version, ...header })
    api.request.encodeTo(writer, body, version)
  })
}

/** A response with its size prefix, as chunks to be written in order; records are referenced, not copied. */
export function encodeResponse<Response, Input>(
  api: Responses<Response, Input>,
  version: number,
  correlationId: number,
  body: Input,
): Uint8Array[] {
  return framed((writer) => {
    encodeResponseHeader(writer, { apiKey: api.key, apiVersion: version }, correlationId)
    api.response.encodeTo(writer, body, version)
  })
}

/** Reads a response frame (without its size) to a request that was sent in `version`. */
export function decodeResponse<Response, Input>(
  api: Responses<Response, Input>,
  version: number,
  frame: Uint8Array,
): { readonly correlationId: number; readonly body: Response } {
  const { correlationId, body } = decodeResponseHeader(frame, {
    apiKey: api.key,
    apiVersion: version,
  })
  return { correlationId, body: api.response.decode(body, version) }
}

/**
 * Reads a request body (see `decodeRequestHeader`) in the version that its header names. Bytes after it are left unread, as
 * Kafka's AbstractRequest does: librdkafka 2.16 sends three after each Metadata request of version 13.
 */
export function decodeRequest<Request, Input>(
  api: Requests<Request, Input>,
  version: number,
  body: Uint8Array,
): Request {
  return api.request.decodePrefix(body, version)
}

/** The size is known only at the end, so its four bytes are claimed first and filled in last. */
function framed(write: (writer: Writer) => void): Uint8Array[] {
  const writer = new Writer()
  writer.int32(0)
  write(writer)
  const size = writer.size - 4
  const chunks = writer.finish()
  const first = chunks[0]!
  new DataView(first.buffer, first.byteOffset, 4).setInt32(0, size)
  return chunks
}
