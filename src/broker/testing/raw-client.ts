// Test support: a client of raw frames. It pipelines, and fails where responses come out of order.

import { assert } from '../../base/assert.ts'
import { NetError, type Connection, type Network } from '../../env/network.ts'
import { FrameSplitter } from '../../protocol/frames.ts'
import { peekCorrelationId } from '../../protocol/headers.ts'
import type { Message } from '../../protocol/message.ts'
import { decodeResponse, encodeRequest } from '../../protocol/requests.ts'

interface ApiMessages<RequestInput, Response> {
  readonly key: number
  readonly request: Message<unknown, RequestInput>
  readonly response: Message<Response, unknown>
}

interface Waiting {
  readonly correlationId: number
  readonly resolve: (frame: Uint8Array) => void
  readonly reject: (error: Error) => void
}

export class RawClient {
  readonly #connection: Connection
  readonly #frames = new FrameSplitter({ frameBytesMax: 100_000_000 })
  readonly #clientId: string
  #waiting: Waiting[] = []
  #nextCorrelationId = 1
  readonly closed: Promise<void>

  private constructor(connection: Connection, clientId: string) {
    this.#connection = connection
    this.#clientId = clientId
    this.closed = new Promise((resolve) => {
      connection.start({
        onData: (chunk) => {
          for (const frame of this.#frames.push(chunk)) this.#answered(frame)
        },
        onClose: () => {
          for (const { reject } of this.#waiting)
            reject(new NetError('ECONNRESET', 'the connection was closed'))
          this.#waiting = []
          resolve()
        },
      })
    })
  }

  static async connect(
    network: Network,
    port: number,
    options: { readonly clientId?: string; readonly host?: string } = {},
  ): Promise<RawClient> {
    const { clientId = 'test', host = '127.0.0.1' } = options
    return new RawClient(await network.connect({ host, port }), clientId)
  }

  async send<RequestInput, Response>(
    api: ApiMessages<RequestInput, Response>,
    version: number,
    request: RequestInput,
  ): Promise<Response> {
    const correlationId = this.post(api, version, request)
    const frame = await new Promise<Uint8Array>((resolve, reject) => {
      this.#waiting.push({ correlationId, resolve, reject })
    })
    return decodeResponse(api, version, frame).body
  }

  /** Sends a request that no response is expected to. */
  post<RequestInput>(
    api: { readonly key: number; readonly request: Message<unknown, RequestInput> },
    version: number,
    request: RequestInput,
  ): number {
    const correlationId = this.#nextCorrelationId++
    const header = { correlationId, clientId: this.#clientId }
    this.#connection.write(encodeRequest(api, version, header, request))
    return correlationId
  }

  /** Sends bytes as they are. */
  write(bytes: Uint8Array): void {
    this.#connection.write([bytes])
  }

  /** The next response frame, whatever it answers. */
  nextFrame(correlationId: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ correlationId, resolve, reject })
    })
  }

  pause(): void {
    this.#connection.pause()
  }

  resume(): void {
    this.#connection.resume()
  }

  close(): void {
    this.#connection.destroy()
  }

  #answered(frame: Uint8Array): void {
    const waiting = this.#waiting.shift()
    const correlationId = peekCorrelationId(frame)
    assert(waiting !== undefined, `an answer to ${correlationId} that nobody waits for`)
    assert(
      waiting.correlationId === correlationId,
      `an answer to ${correlationId} where ${waiting.correlationId} comes next`,
    )
    waiting.resolve(frame)
  }
}
