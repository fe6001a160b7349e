// From a request's frame to its answer: header, table of served APIs, decode, handle, encode. The table is closed: a key or a
// version that is not in it ends the connection, but for ApiVersions, whose answer tells the client what it may send.

import { assert } from '../base/assert.ts'
import type { Logger } from '../env/env.ts'
import { API_VERSIONS_KEY, PRODUCE_KEY } from '../protocol/api-keys.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { MissingBytes, ProtocolError } from '../protocol/errors.ts'
import {
  decodeRequestHead,
  decodeRequestHeader,
  readRequestHeader,
  type RequestHeader,
} from '../protocol/headers.ts'
import type { Message } from '../protocol/message.ts'
import { Reader } from '../protocol/reader.ts'
import { encodeResponse } from '../protocol/requests.ts'
import {
  Accepted,
  CLOSE_CONNECTION,
  NO_REPLY,
  type Handled,
  type Outcome,
  type RequestContext,
} from './handler.ts'

/** What the connection does in the request's turn. */
export interface Answer {
  readonly kind: 'response' | 'none' | 'close'
  readonly chunks: readonly Uint8Array[]
  readonly bytes: number
}

export interface Started {
  readonly answer: Answer | Promise<Answer>
  /** The next request of the connection may start although this one is not answered. */
  readonly accepted: boolean
}

export interface ApiHandler<Request, Response> {
  handle(context: RequestContext, request: Request): Handled<Response>
  /** The answer to `request` where handling it failed as a whole. */
  failed(request: Request, error: ErrorCode, context: RequestContext): Response
}

/** One row of the table, with its types closed over. */
export interface ServedApi {
  readonly key: number
  readonly name: string
  /** Requests below are refused. */
  readonly minVersion: number
  readonly maxVersion: number
  /** As ApiVersions says; below `minVersion` where clients expect to see it. */
  readonly advertisedMinVersion: number
  /** As `Message.examine`, of a request. */
  examine(beginning: Reader, version: number): void
  start(context: RequestContext, correlationId: number, body: Uint8Array, log: Logger): Started
}

/** What a connection says of itself with each request. */
export type RequestOrigin = Pick<RequestContext, 'listener' | 'clientHost' | 'onConnectionClosed'>

interface ApiSchemas<Request, Response> {
  readonly key: number
  readonly name: string
  readonly minVersion: number
  readonly maxVersion: number
  readonly request: Message<Request, unknown>
  readonly response: Message<unknown, Response>
}

/**
 * Only Produce carries records. The largest of the others name every partition of the cluster (50,000 by default, topic
 * names of up to 249 bytes): a few MB. Decoding makes objects of them, many times their size, so they are bounded here,
 * whatever `socket.request.max.bytes` allows.
 */
const REQUEST_BYTES_MAX_BUT_PRODUCE = 8 * 1024 * 1024

const NO_ANSWER: Answer = { kind: 'none', chunks: [], bytes: 0 }
const CLOSE: Answer = { kind: 'close', chunks: [], bytes: 0 }

export function served<Request, Response>(
  api: ApiSchemas<Request, Response>,
  handler: ApiHandler<Request, Response>,
  { minVersion = api.minVersion }: { readonly minVersion?: number } = {},
): ServedApi {
  return {
    key: api.key,
    name: api.name,
    minVersion,
    maxVersion: api.maxVersion,
    advertisedMinVersion: api.minVersion,
    examine: (beginning, version) => api.request.examine(beginning, version),
    start(context, correlationId, body, log) {
      const { version } = context
      const request = api.request.decodePrefix(body, version)
      const encode = (outcome: Outcome<Response>): Answer => {
        if (outcome === NO_REPLY) return NO_ANSWER
        if (outcome === CLOSE_CONNECTION) return CLOSE
        return response(encodeResponse(api, version, correlationId, outcome))
      }
      const fail = (error: unknown): Answer => {
        report(log, api.name, version, error)
        try {
          return encode(handler.failed(request, ErrorCode.UNKNOWN_SERVER_ERROR, context))
        } catch (second) {
          report(log, api.name, version, second)
          return CLOSE
        }
      }
      try {
        const handled = handler.handle(context, request)
        if (handled instanceof Accepted) {
          return { answer: handled.completed.then(encode).catch(fail), accepted: true }
        }
        if (handled instanceof Promise) {
          return { answer: handled.then(encode).catch(fail), accepted: false }
        }
        return { answer: encode(handled), accepted: true }
      } catch (error) {
        return { answer: fail(error), accepted: true }
      }
    },
  }
}

function report(log: Logger, api: string, version: number, error: unknown): void {
  log.error('a request failed unexpectedly', {
    api,
    version,
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  })
}

function response(chunks: readonly Uint8Array[]): Answer {
  let bytes = 0
  for (const chunk of chunks) bytes += chunk.length
  return { kind: 'response', chunks, bytes }
}

export class Dispatcher {
  readonly #byKey: ReadonlyMap<number, ServedApi>
  readonly #apiVersions: ServedApi
  readonly #log: Logger

  constructor(options: { readonly apis: readonly ServedApi[]; readonly log: Logger }) {
    this.#byKey = new Map(options.apis.map((api) => [api.key, api]))
    assert(this.#byKey.size === options.apis.length, 'an API is served twice')
    const apiVersions = this.#byKey.get(API_VERSIONS_KEY)
    assert(apiVersions !== undefined, 'ApiVersions must be served')
    this.#apiVersions = apiVersions
    this.#log = options.log
  }

  /**
   * Throws ProtocolError where a request of `bytes` that begins so would be refused, before the rest of it is here.
   * `head`: its first REQUEST_HEAD_BYTES, or more.
   */
  admit(head: Uint8Array, bytes: number): void {
    this.#find(decodeRequestHead(head), bytes)
  }

  /** As `admit`, by more of its beginning: random bytes are hardly ever that of a request. */
  examine(beginning: Uint8Array, bytes: number): void {
    const reader = new Reader(beginning, bytes)
    try {
      const header = readRequestHeader(reader)
      this.#find(header, bytes)?.examine(reader, header.apiVersion)
    } catch (error) {
      if (!(error instanceof MissingBytes)) throw error
    }
  }

  /** Throws ProtocolError where the connection is to be closed. */
  start(frame: Uint8Array, from: RequestOrigin): Started {
    const { header, body } = decodeRequestHeader(frame)
    const { clientId, correlationId } = header
    const api = this.#find(header, frame.length)
    const known = api !== undefined
    const context = {
      // KIP-511: an ApiVersions request of an unknown version is answered in version 0, whatever it carries.
      version: known ? header.apiVersion : 0,
      versionSupported: known,
      clientId,
      listener: from.listener,
      clientHost: from.clientHost,
      onConnectionClosed: from.onConnectionClosed,
    }
    if (known) return api.start(context, correlationId, body, this.#log)
    return this.#apiVersions.start(context, correlationId, NO_BYTES, this.#log)
  }

  /** Undefined for ApiVersions in a version that is not served. */
  #find(
    header: Pick<RequestHeader, 'apiKey' | 'apiVersion'>,
    bytes: number,
  ): ServedApi | undefined {
    const api = this.#byKey.get(header.apiKey)
    if (api === undefined) throw new ProtocolError(`API ${header.apiKey} is not served`)
    if (api.key !== PRODUCE_KEY && bytes > REQUEST_BYTES_MAX_BUT_PRODUCE) {
      throw new ProtocolError(
        `${api.name} request of ${bytes} bytes, at most ${REQUEST_BYTES_MAX_BUT_PRODUCE} are allowed`,
      )
    }
    if (header.apiVersion >= api.minVersion && header.apiVersion <= api.maxVersion) return api
    if (api === this.#apiVersions) return undefined
    throw new ProtocolError(`${api.name} version ${header.apiVersion} is not served`)
  }
}

const NO_BYTES = new Uint8Array(0)
