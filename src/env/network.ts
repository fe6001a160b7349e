// The network port: TCP byte streams.

export interface Network {
  /** Starts accepting on `host:port`; port 0 takes a free one. Fails with `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`. */
  listen(address: NetAddress, onConnection: (connection: Connection) => void): Promise<NetListener>
  /** Fails with `ECONNREFUSED`, `ETIMEDOUT`, `ENOTFOUND` and so on. */
  connect(address: NetAddress, options?: { readonly timeoutMs?: number }): Promise<Connection>
}

export interface NetAddress {
  /** A host name, an IPv4 address, or an IPv6 address without brackets. */
  readonly host: string
  readonly port: number
}

export interface NetListener {
  /** With the port that was taken. */
  readonly address: NetAddress
  /** Stops accepting; open connections stay. */
  close(): Promise<void>
}

export interface ConnectionHandlers {
  /** The bytes are the callee's to keep. Never called while paused or after `onClose`. */
  onData(chunk: Uint8Array): void
  /** Called once: the peer ended or reset, the connection failed, or `close`/`destroy` finished. `error`: it was not clean. */
  onClose(error?: NetError): void
  /** Called when the bytes not yet handed to the system have fallen below the low mark after `write` returned false. */
  onDrain?(): void
}

export interface Connection {
  readonly remote: NetAddress
  readonly local: NetAddress
  /** Must be called once, in the turn in which the connection was obtained; data is not read before it. */
  start(handlers: ConnectionHandlers): void
  /** Queues bytes, in order; the caller must not change them afterwards. False: over the high mark, wait for `onDrain`. */
  write(chunks: readonly Uint8Array[]): boolean
  /** Bytes queued and not yet handed to the system. */
  readonly pendingBytes: number
  /** Stops and resumes reading, so that TCP slows the sender. */
  pause(): void
  resume(): void
  /** Sends what is queued, then ends. */
  close(): void
  /** Ends at once; what is queued is dropped. */
  destroy(): void
}

export class NetError extends Error {
  override readonly name = 'NetError'
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}
