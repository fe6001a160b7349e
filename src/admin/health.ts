// What HTTP says about the node: `/livez` (the process runs and its event loop turns) and `/readyz` (it can serve clients).
// Probes come from other machines and under any name, so these tell no more than that.

import type { HttpRequest, HttpResponse } from '../env/http.ts'
import type { Readiness } from './cluster-admin.ts'

/** Undefined where the path is neither. */
export function answerHealth(
  { method, path }: Pick<HttpRequest, 'method' | 'path'>,
  readiness: () => Readiness,
): HttpResponse | undefined {
  if (path !== '/livez' && path !== '/readyz') return undefined
  if (method !== 'GET' && method !== 'HEAD') {
    return { ...text(405, 'only GET and HEAD'), headers: { allow: 'GET, HEAD' } }
  }
  const state: Readiness = path === '/readyz' ? readiness() : { ready: true }
  return state.ready ? text(200, 'ok') : text(503, `not ready: ${state.reason}`)
}

function text(status: number, body: string): HttpResponse {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${body}\n` }
}
