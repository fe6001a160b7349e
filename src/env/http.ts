// The HTTP port: a listener that answers small requests whole. For health checks and the operator's pages; clients of the
// log speak the Kafka protocol over the network port.

import type { NetAddress, NetListener } from './network.ts'

export interface Http {
  /** Starts answering on `host:port`; port 0 takes a free one. Fails with NetError as `Network.listen` does. */
  listen(address: NetAddress, answer: (request: HttpRequest) => HttpResponse): Promise<NetListener>
}

export interface HttpRequest {
  readonly method: string
  /** Without the query. */
  readonly path: string
}

export interface HttpResponse {
  readonly status: number
  readonly contentType: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}
