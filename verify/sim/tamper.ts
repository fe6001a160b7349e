// Stands between a node and its clients' connections and changes frames, whole ones, on their way.

import type { Env } from '../../src/env/env.ts'
import type { Connection, ConnectionHandlers, Network } from '../../src/env/network.ts'
import { FrameSplitter } from '../../src/protocol/frames.ts'
import { decodeRequestHeader } from '../../src/protocol/headers.ts'
import { join, type Api } from '../../src/protocol/message.ts'
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
} from '../../src/protocol/requests.ts'
import { NODE_PORT } from './node.ts'

export interface Asked {
  readonly key: number
  readonly version: number
  readonly correlationId: number
}

/** What a planted error does with the frames of one connection; each is without its length. */
export interface Tamper {
  /** The frames that the node is given instead; none: it is kept from it. */
  request?(frame: Uint8Array, asked: Asked): Uint8Array[]
  /** The frames that the client is given instead. */
  response?(frame: Uint8Array, asked: Asked | undefined): Uint8Array[]
}

const FRAME_BYTES_MAX = 512 * 1024 * 1024

export function tampering(env: Env, make: () => Tamper): Env {
  const network: Network = {
    connect: (address, options) => env.network.connect(address, options),
    listen: (address, onConnection) =>
      env.network.listen(address, (connection) =>
        // What travels between nodes has other frames.
        onConnection(address.port === NODE_PORT ? tampered(connection, make()) : connection),
      ),
  }
  return { ...env, network }
}

function tampered(connection: Connection, tamper: Tamper): Connection {
  const requests = new FrameSplitter({ frameBytesMax: FRAME_BYTES_MAX })
  const responses = new FrameSplitter({ frameBytesMax: FRAME_BYTES_MAX })
  const asked = new Map<number, Asked>()
  const send = (frame: Uint8Array): boolean => connection.write([sized(frame)])
  return {
    remote: connection.remote,
    local: connection.local,
    get pendingBytes() {
      return connection.pendingBytes
    },
    start: (handlers: ConnectionHandlers) => {
      const onData = (chunk: Uint8Array): void => {
        for (const frame of requests.push(chunk)) {
          const view = viewOf(frame)
          const one = {
            key: view.getInt16(0),
            version: view.getInt16(2),
            correlationId: view.getInt32(4),
          }
          asked.set(one.correlationId, one)
          for (const kept of tamper.request?.(frame, one) ?? [frame]) handlers.onData(sized(kept))
        }
      }
      const onClose = handlers.onClose.bind(handlers)
      const onDrain = handlers.onDrain?.bind(handlers)
      connection.start({ onData, onClose, ...(onDrain === undefined ? {} : { onDrain }) })
    },
    write: (chunks) => {
      let room = true
      for (const frame of chunks.flatMap((chunk) => responses.push(chunk))) {
        const correlationId = viewOf(frame).getInt32(0)
        const one = asked.get(correlationId)
        asked.delete(correlationId)
        for (const kept of tamper.response?.(frame, one) ?? [frame]) room = send(kept)
      }
      return room
    },
    pause: () => connection.pause(),
    resume: () => connection.resume(),
    close: () => connection.close(),
    destroy: () => connection.destroy(),
  }
}

function sized(frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + frame.length)
  viewOf(bytes).setInt32(0, frame.length)
  bytes.set(frame, 4)
  return bytes
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** The frame with another body, if it asks for this API. */
export function rewriteRequest<Request, Input, Response, ResponseInput>(
  api: Api<Request, Input, Response, ResponseInput>,
  frame: Uint8Array,
  asked: Asked,
  change: (body: Request) => Input,
): Uint8Array[] {
  if (asked.key !== api.key) return [frame]
  // Decoded contents may be views of the frame, which is the client's, to be sent again.
  const { header, body } = decodeRequestHeader(frame.slice())
  const { correlationId, clientId } = header
  const changed = change(decodeRequest(api, asked.version, body))
  return [unsized(encodeRequest(api, asked.version, { correlationId, clientId }, changed))]
}

/** The frame with another body, if it answers this API. */
export function rewriteResponse<Request, Input, Response, ResponseInput>(
  api: Api<Request, Input, Response, ResponseInput>,
  frame: Uint8Array,
  asked: Asked | undefined,
  change: (body: Response) => ResponseInput,
): Uint8Array[] {
  if (asked === undefined || asked.key !== api.key) return [frame]
  const { correlationId, body } = decodeResponse(api, asked.version, frame)
  return [unsized(encodeResponse(api, asked.version, correlationId, change(body)))]
}

function unsized(chunks: readonly Uint8Array[]): Uint8Array {
  return join(chunks).subarray(4)
}
