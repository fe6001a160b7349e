// What can be told of a host by its text alone.

/** Reached from this machine only. */
export function isLoopback(host: string): boolean {
  return /^localhost$/i.test(host) || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

/** Means every address of this machine: one can listen there, and connect there by accident only. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

/** `host:port`, an IPv6 address in brackets. */
export function hostPort({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** What `hostPort` made of it; undefined for what it never makes. */
export function parseHostPort(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  return host === undefined ? undefined : { host, port: Number(match?.[3]) }
}
