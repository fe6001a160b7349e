// What a request handler is. It has two stages: it is *accepted* when its place in the order of things is taken, so that the
// connection may start the next request, and *completed* when its response may be written. Responses leave in request order
// either way.

/** The request wants no response (acks=0). */
export const NO_REPLY: unique symbol = Symbol('no reply')
/** The connection is closed instead of answering: how an acks=0 producer learns of an error. */
export const CLOSE_CONNECTION: unique symbol = Symbol('close connection')

export type Outcome<Response> = Response | typeof NO_REPLY | typeof CLOSE_CONNECTION

/** Accepted already, completed later: the next request of the connection may start. */
export class Accepted<Response> {
  readonly completed: Promise<Outcome<Response>>
  constructor(completed: Promise<Outcome<Response>>) {
    this.completed = completed
  }
}

/** A plain promise is accepted only when it is completed, as Kafka handles the requests of one connection. */
export type Handled<Response> = Outcome<Response> | Promise<Outcome<Response>> | Accepted<Response>

export interface RequestContext {
  /** The version that the answer is written in: that of the request, but for an ApiVersions request of an unknown one. */
  readonly version: number
  /** False only for such an ApiVersions request. */
  readonly versionSupported: boolean
  readonly clientId: string | null
  /** Name of the listener the request came in on: addresses in the answer are that listener's. */
  readonly listener: string
  /** The client's address, for group members' descriptions. */
  readonly clientHost: string
  /** Calls back once if the connection closes; returns the function that takes the callback off again. */
  onConnectionClosed(callback: () => void): () => void
}
