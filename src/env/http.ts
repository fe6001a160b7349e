// The HTTP port: a listener that answers small requests whole. For health checks and operators; clients of the log speak
// the Kafka protocol over the network port.

import type { NetAddress, NetListener } from './network.ts'

export interface Http {
  /**
   * Starts answering on `host:port`; port 0 takes a free one. Fails with NetError as `Network.listen` does. `answer` does
   * not throw.
   */
  listen(address: NetAddress, answer: AnswerHttp): Promise<NetListener>
}

export type AnswerHttp = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>

export interface HttpRequest {
  readonly method: string
  /** Without the query; as sent, not decoded. */
  readonly path: string
  /** What follows the question mark; '' without one. */
  readonly query: string
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /** At most HTTP_BODY_BYTES_MAX bytes of UTF-8; a longer one is refused before anybody is asked. */
  readonly body: string
  /** The address of the caller, of the last proxy where there is one. */
  readonly remoteHost: string
}

export interface HttpResponse {
  readonly status: number
  readonly contentType: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

export const HTTP_BODY_BYTES_MAX = 64 * 1024
