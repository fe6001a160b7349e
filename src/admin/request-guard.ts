// Who may use the cluster API over HTTP. There is no login, so it is for callers on this machine unless the operator
// says otherwise; and a web page that such a caller happens to look at must not reach it through the browser: neither by a
// form or script of another site (content type, Origin), nor under a name that its owner points at us (Host).

import { isLoopback } from '../base/hosts.ts'
import type { HttpRequest } from '../env/http.ts'

export interface Guard {
  /** `loopback`: callers on this machine only. */
  readonly access: 'loopback' | 'all'
  /** Names of this node beside localhost and bare IP addresses, in lower case. */
  readonly names: ReadonlySet<string>
}

export interface Refusal {
  readonly status: 400 | 403 | 415
  readonly code: 'FORBIDDEN' | 'BAD_REQUEST' | 'UNSUPPORTED_MEDIA_TYPE'
  readonly message: string
}

/** Why the request is refused; undefined when it is not. */
export function refuse(request: HttpRequest, guard: Guard): Refusal | undefined {
  const { headers, method, remoteHost } = request
  if (guard.access === 'loopback' && !isLoopback(remoteHost)) {
    return forbidden(
      'this is for callers on the same machine; http.api=all opens it to whoever reaches the port',
    )
  }
  const host = headers['host']
  const name = host === undefined ? undefined : hostName(host)
  if (host === undefined || name === undefined) {
    return { status: 400, code: 'BAD_REQUEST', message: 'the Host header is missing or invalid' }
  }
  if (!isAddress(name) && name !== 'localhost' && !guard.names.has(name)) {
    return forbidden(
      `${name} is no name of this node; ask under its IP address, or a name that it listens on or advertises`,
    )
  }
  const { origin } = headers
  if (origin !== undefined && origin !== `http://${host}`) return forbidden(OTHER_SITE)
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return forbidden(OTHER_SITE)
  if (method !== 'POST') return undefined
  const type = headers['content-type'] ?? ''
  if (/^application\/json(\s*;|$)/i.test(type)) return undefined
  return {
    status: 415,
    code: 'UNSUPPORTED_MEDIA_TYPE',
    message: 'send JSON, with content-type: application/json',
  }
}

const OTHER_SITE = 'pages of other sites may not use this'

function forbidden(message: string): Refusal {
  return { status: 403, code: 'FORBIDDEN', message }
}

/** The name in a Host header, without its port and brackets, in lower case. */
function hostName(host: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@\s]+))(?::\d{1,5})?$/i.exec(host)
  return (match?.[1] ?? match?.[2])?.toLowerCase()
}

/** An IP address can't be pointed elsewhere by whoever owns a name. */
function isAddress(name: string): boolean {
  return name.includes(':') || /^\d{1,3}(\.\d{1,3}){3}$/.test(name)
}
