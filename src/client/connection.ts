// One connection to one broker: requests are pipelined, answers come in request order. Versions are negotiated when
// it opens. A request that gets no answer in time takes the connection down, since every later answer would wait
// behind it.

import type { Connection, NetAddress } from '../env/network.ts'
import type { Timer } from '../env/env.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { FrameSplitter } from '../protocol/frames.ts'
import { peekCorrelationId } from '../protocol/headers.ts'
import type { Api } from '../protocol/message.ts'
import { apiVersions } from '../protocol/messages/api-versions.ts'
import { decodeResponse, encodeRequest } from '../protocol/requests.ts'
import type { ClientEnv } from './client-env.ts'
import { RequestError } from './client-error.ts'

export interface ConnectionOptions {
  readonly clientId: string
  /** Unless a request says otherwise. */
  readonly requestTimeoutMs: number
  readonly connectTimeoutMs: number
  /** The largest answer that is accepted. */
  readonly responseBytesMax: number
  /** Requests sent and not answered; more of them wait. */
  readonly inFlightMax: number
}

export const CONNECTION_DEFAULTS: ConnectionOptions = {
  clientId: 'chronik',
  requestTimeoutMs: 30_000,
  connectTimeoutMs: 10_000,
  responseBytesMax: 256 * 1024 * 1024,
  inFlightMax: 100,
}

export interface RequestOptions {
  readonly timeoutMs?: number
  /** The highest version to use, where a later one asks for what the caller does not have. */
  readonly versionMax?: number
}

interface VersionRange {
  readonly min: number
  readonly max: number
}

interface Pending {
  readonly correlationId: number
  readonly chunks: readonly Uint8Array[]
  /** False for what the broker does not answer (Produce with acks=0). */
  readonly answered: boolean
  settle(answer: Uint8Array | RequestError): void
  timer: Timer | undefined
}

const CLIENT_SOFTWARE = { clientSoftwareName: 'chronik', clientSoftwareVersion: '0.1.0' }
/** Asked first; a broker that does not know it answers in version 0 which ones it knows. */
const API_VERSIONS_VERSION = 3

export class BrokerConnection {
  readonly address: NetAddress
  readonly #env: ClientEnv
  readonly #options: ConnectionOptions
  readonly #connection: Connection
  readonly #frames: FrameSplitter
  #versions: ReadonlyMap<number, VersionRange> = new Map()
  #nextCorrelationId = 1
  /** Handed to the connection, oldest first. */
  #inFlight: Pending[] = []
  /** Not handed over yet: too much in flight, or the connection is over its high mark. */
  #waiting: Pending[] = []
  #blocked = false
  #closed: RequestError | undefined
  #onClosed: (() => void) | undefined

  private constructor(
    env: ClientEnv,
    address: NetAddress,
    options: ConnectionOptions,
    connection: Connection,
  ) {
    this.address = address
    this.#env = env
    this.#options = options
    this.#connection = connection
    this.#frames = new FrameSplitter({ frameBytesMax: options.responseBytesMax })
    connection.start({
      onData: (chunk) => this.#receive(chunk),
      onClose: (error) => this.#end(error?.message ?? 'the broker closed the connection'),
      onDrain: () => {
        this.#blocked = false
        this.#flush()
      },
    })
  }

  /** Connects and learns the broker's versions. Throws RequestError; nothing was asked of the broker then. */
  static async open(
    env: ClientEnv,
    address: NetAddress,
    options: ConnectionOptions,
  ): Promise<BrokerConnection> {
    let connection: Connection
    try {
      connection = await env.network.connect(address, { timeoutMs: options.connectTimeoutMs })
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new RequestError('not-sent', why, { cause: error })
    }
    const opened = new BrokerConnection(env, address, options, connection)
    try {
      await opened.#negotiate()
    } catch (error) {
      opened.close()
      const why = error instanceof Error ? error.message : String(error)
      throw new RequestError('not-sent', `${format(address)}: ${why}`, { cause: error })
    }
    return opened
  }

  get isClosed(): boolean {
    return this.#closed !== undefined
  }

  /** Called once, when the connection has ended for whatever reason. */
  onClosed(listener: () => void): void {
    this.#onClosed = listener
    if (this.#closed !== undefined) listener()
  }

  /** The version that a request would use, or undefined when the broker and we share none. */
  versionOf(
    api: { readonly key: number; readonly minVersion: number; readonly maxVersion: number },
    versionMax = Infinity,
  ): number | undefined {
    const theirs = this.#versions.get(api.key)
    if (theirs === undefined) return undefined
    const version = Math.min(theirs.max, api.maxVersion, versionMax)
    return version < Math.max(theirs.min, api.minVersion) ? undefined : version
  }

  /**
   * Sends and reads the answer. `body` may depend on the version. Throws RequestError; EncodeError for a body that
   * does not fit.
   */
  async request<Request, Input, Response, ResponseInput>(
    api: Api<Request, Input, Response, ResponseInput>,
    body: (version: number) => Input,
    options: RequestOptions = {},
  ): Promise<Response> {
    const version = this.#agreed(api, options)
    const frame = await this.#exchange(api, version, body(version), options.timeoutMs)
    return this.#decoded(() => decodeResponse(api, version, frame).body)
  }

  /** Sends what the broker does not answer; resolves when the bytes were handed over. Throws RequestError. */
  async send<Request, Input, Response, ResponseInput>(
    api: Api<Request, Input, Response, ResponseInput>,
    body: (version: number) => Input,
    options: RequestOptions = {},
  ): Promise<void> {
    const version = this.#agreed(api, options)
    await this.#submit(api, version, body(version), { answered: false, ...options })
  }

  /** Ends; answers that are still to come are lost, but what was handed over is sent (with acks=0 it counts as written). */
  close(): void {
    if (this.#closed === undefined) this.#connection.close()
    this.#end('the connection was closed')
  }

  #agreed<Request, Input, Response, ResponseInput>(
    api: Api<Request, Input, Response, ResponseInput>,
    options: RequestOptions,
  ): number {
    const version = this.versionOf(api, options.versionMax)
    if (version !== undefined) return version
    throw new RequestError(
      'unsupported',
      `${format(this.address)} offers no version of ${api.name} that this client speaks`,
    )
  }

  async #negotiate(): Promise<void> {
    let version = API_VERSIONS_VERSION
    let frame = await this.#exchange(apiVersions, version, CLIENT_SOFTWARE)
    // The error code is the first thing after the correlation id, in every version.
    const refused =
      frame.length >= 6 && frame[4] === 0 && frame[5] === ErrorCode.UNSUPPORTED_VERSION
    if (refused) {
      version = 0
      frame = await this.#exchange(apiVersions, version, {})
    }
    const { body } = this.#decoded(() => decodeResponse(apiVersions, version, frame))
    if (body.errorCode !== 0) throw new Error(`ApiVersions failed with error ${body.errorCode}`)
    this.#versions = new Map(
      body.apiKeys.map((api) => [api.apiKey, { min: api.minVersion, max: api.maxVersion }]),
    )
  }

  #exchange<Request, Input, Response, ResponseInput>(
    api: Api<Request, Input, Response, ResponseInput>,
    version: number,
    body: Input,
    timeoutMs?: number,
  ): Promise<Uint8Array> {
    return this.#submit(api, version, body, { answered: true, timeoutMs })
  }

  #submit<Request, Input, Response, ResponseInput>(
    api: Api<Request, Input, Response, ResponseInput>,
    version: number,
    body: Input,
    options: { readonly answered: boolean; readonly timeoutMs?: number | undefined },
  ): Promise<Uint8Array> {
    const correlationId = this.#nextCorrelationId
    this.#nextCorrelationId = correlationId === 0x7fff_ffff ? 1 : correlationId + 1
    const header = { correlationId, clientId: this.#options.clientId }
    const chunks = encodeRequest(api, version, header, body)
    return new Promise((resolve, reject) => {
      const pending: Pending = {
        correlationId,
        chunks,
        answered: options.answered,
        timer: undefined,
        settle(answer) {
          pending.timer?.cancel()
          if (answer instanceof RequestError) reject(answer)
          else resolve(answer)
        },
      }
      if (this.#closed !== undefined) {
        pending.settle(new RequestError('not-sent', this.#closed.message))
        return
      }
      const timeoutMs = options.timeoutMs ?? this.#options.requestTimeoutMs
      pending.timer = this.#env.timers.after(timeoutMs, () =>
        this.#expire(pending, api.name, timeoutMs),
      )
      this.#waiting.push(pending)
      this.#flush()
    })
  }

  #flush(): void {
    while (
      !this.#blocked &&
      this.#closed === undefined &&
      this.#inFlight.length < this.#options.inFlightMax
    ) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      if (next.answered) this.#inFlight.push(next)
      if (!this.#connection.write(next.chunks)) this.#blocked = true
      if (!next.answered) next.settle(new Uint8Array(0))
    }
  }

  #receive(chunk: Uint8Array): void {
    let frames: Uint8Array[]
    try {
      frames = this.#frames.push(chunk)
    } catch (error) {
      this.#end(`unreadable answer: ${String(error)}`, 'malformed')
      return
    }
    for (const frame of frames) {
      const oldest = this.#inFlight.shift()
      if (
        oldest === undefined ||
        frame.length < 4 ||
        peekCorrelationId(frame) !== oldest.correlationId
      ) {
        if (oldest !== undefined) this.#inFlight.unshift(oldest)
        this.#end('an answer to no request', 'malformed')
        return
      }
      oldest.settle(frame)
    }
    this.#flush()
  }

  #expire(pending: Pending, name: string, timeoutMs: number): void {
    const message = `${format(this.address)}: no answer to ${name} in ${timeoutMs} ms`
    const at = this.#waiting.indexOf(pending)
    if (at >= 0) {
      this.#waiting.splice(at, 1)
      pending.settle(new RequestError('not-sent', message))
    } else {
      this.#end(message, 'timed-out')
    }
  }

  #decoded<T>(decode: () => T): T {
    try {
      return decode()
    } catch (error) {
      const message = `${format(this.address)}: ${error instanceof Error ? error.message : String(error)}`
      this.#end(message, 'malformed')
      throw new RequestError('malformed', message, { cause: error })
    }
  }

  #end(message: string, fault: 'lost' | 'timed-out' | 'malformed' = 'lost'): void {
    if (this.#closed !== undefined) return
    this.#closed = new RequestError(fault, message)
    if (fault !== 'lost') this.#connection.destroy()
    const [inFlight, waiting] = [this.#inFlight, this.#waiting]
    this.#inFlight = []
    this.#waiting = []
    for (const pending of inFlight) pending.settle(new RequestError(fault, message))
    for (const pending of waiting) pending.settle(new RequestError('not-sent', message))
    this.#onClosed?.()
  }
}

export function format(address: NetAddress): string {
  return address.host.includes(':')
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`
}
