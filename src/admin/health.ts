// What HTTP says about the node: `/livez` (the process runs and its event loop turns) and `/readyz` (it can serve clients).

import type { HttpRequest, HttpResponse } from '../env/http.ts'

/** Undefined: ready. Otherwise why not, in a few words. */
export type NotReadyReason = string | undefined

export function answerHealth(request: HttpRequest, notReady: () => NotReadyReason): HttpResponse {
  if (request.path !== '/livez' && request.path !== '/readyz') {
    return text(404, 'not found; there are /livez and /readyz')
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { ...text(405, 'only GET and HEAD'), headers: { allow: 'GET, HEAD' } }
  }
  const reason = request.path === '/readyz' ? notReady() : undefined
  return reason === undefined ? text(200, 'ok') : text(503, `not ready: ${reason}`)
}

function text(status: number, body: string): HttpResponse {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${body}\n` }
}
