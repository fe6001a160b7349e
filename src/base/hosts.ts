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
