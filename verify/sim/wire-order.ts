// Watches a client's connections from outside: answers come in the order of the requests, each whole, none for what was not
// asked. The client library would shrug it off as a broken connection.

import type { Env } from '../../src/env/env.ts'
import type { Connection, ConnectionHandlers, Network } from '../../src/env/network.ts'
import { FrameSplitter } from '../../src/protocol/frames.ts'

const PRODUCE = 0
const FRAME_BYTES_MAX = 512 * 1024 * 1024

/** The same world, with a watch on every connection that is opened. */
export function checkWireOrder(env: Env, report: (text: string) => void): Env {
  const network: Network = {
    listen: (address, onConnection) => env.network.listen(address, onConnection),
    connect: async (address, options) =>
      watched(await env.network.connect(address, options), report),
  }
  return { ...env, network }
}

function watched(connection: Connection, report: (text: string) => void): Connection {
  const asked: { readonly key: number; readonly correlationId: number }[] = []
  const where = `${connection.local.host}:${connection.local.port}`
  const requests = new FrameSplitter({ frameBytesMax: FRAME_BYTES_MAX })
  const answers = new FrameSplitter({ frameBytesMax: FRAME_BYTES_MAX })
  const sent = (chunk: Uint8Array): void => {
    for (const frame of requests.push(chunk)) {
      const view = viewOf(frame)
      asked.push({ key: view.getInt16(0), correlationId: view.getInt32(4) })
    }
  }
  const received = (chunk: Uint8Array): void => {
    for (const frame of answers.push(chunk)) {
      const correlationId = viewOf(frame).getInt32(0)
      // acks=0 is never answered; that a Produce was one is deep inside it, so any unanswered one is passed over.
      while (asked[0]?.key === PRODUCE && asked[0].correlationId !== correlationId) asked.shift()
      const next = asked.shift()
      if (next?.correlationId === correlationId) continue
      const wanted = next === undefined ? 'nothing' : `${next.correlationId} (API ${next.key})`
      report(`${where}: the answer to request ${correlationId} came where ${wanted} was next`)
    }
  }
  return {
    remote: connection.remote,
    local: connection.local,
    get pendingBytes() {
      return connection.pendingBytes
    },
    start: (handlers: ConnectionHandlers) => {
      const onData = (chunk: Uint8Array): void => {
        received(chunk)
        handlers.onData(chunk)
      }
      const onClose = handlers.onClose.bind(handlers)
      const onDrain = handlers.onDrain?.bind(handlers)
      connection.start({ onData, onClose, ...(onDrain === undefined ? {} : { onDrain }) })
    },
    write: (chunks) => {
      for (const chunk of chunks) sent(chunk)
      return connection.write(chunks)
    },
    pause: () => connection.pause(),
    resume: () => connection.resume(),
    close: () => connection.close(),
    destroy: () => connection.destroy(),
  }
}

function viewOf(frame: Uint8Array): DataView {
  return new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
}
