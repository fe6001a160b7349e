// Addresses as people write them: `host:port`, `NAME://host:port`, `[::1]:9092`; and what follows from them for the
// listeners of a node and the addresses that it advertises.

import { isWildcard } from '../base/hosts.ts'
import { usage } from './failure.ts'
import type { Given } from './options-gather.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

export interface Listener extends Address {
  readonly name: string
  readonly advertisedHost?: string
  /** Absent: the port that the listener got. */
  readonly advertisedPort?: number
}

/** The name of a listener that was given without one. */
export const DEFAULT_LISTENER = 'PLAINTEXT'

/** Kafka's names of security protocols; a listener of such a name would promise what there is not. */
const promising = ['SSL', 'SASL_PLAINTEXT', 'SASL_SSL']

/** `place` is where the text was given. Fails (exit code 2) unless it is `host:port`. */
export function parseAddress(text: string, place: string): Address {
  const { host, port } = splitAddress(text, place)
  if (port === undefined) throw usage(`${place}: ${text} has no port; give host:port`)
  return { host, port }
}

/** The listeners from the texts of `listeners` and, where given, `advertised.listeners`. */
export function parseListeners(listeners: Given, advertised: Given | undefined): Listener[] {
  const bound = parseNamed(listeners)
  const told =
    advertised === undefined ? new Map<string, Partial<Address>>() : parseNamed(advertised)
  for (const name of told.keys()) {
    if (bound.has(name)) continue
    throw usage(
      `${advertised?.place}: there is no listener ${name}, but ${[...bound.keys()].join(', ')}`,
    )
  }
  return [...bound].map(([name, { host, port }]) => {
    if (port === undefined) throw usage(`${listeners.place}: listener ${name} has no port`)
    const advertisement = told.get(name)
    if (isWildcard(advertisement?.host ?? host)) {
      throw usage(
        `listener ${name} is bound to ${host}, which no client can connect to by that name: ` +
          `say under which address they reach it, --advertised-kafka ${name}://host:port`,
      )
    }
    return {
      name,
      host,
      port,
      ...(advertisement?.host === undefined ? {} : { advertisedHost: advertisement.host }),
      ...(advertisement?.port === undefined ? {} : { advertisedPort: advertisement.port }),
    }
  })
}

function parseNamed({
  text,
  place,
}: Given): Map<string, { host: string; port: number | undefined }> {
  const found = new Map<string, { host: string; port: number | undefined }>()
  for (const part of text.split(',').map((item) => item.trim())) {
    const match = /^(?:([^:/]*):\/\/)?(.*)$/.exec(part)
    const name = (match?.[1] ?? DEFAULT_LISTENER).toUpperCase()
    if (!/^[A-Z][A-Z0-9_-]*$/.test(name)) throw usage(`${place}: "${name}" is no listener name`)
    if (promising.includes(name)) {
      throw usage(
        `${place}: there is no ${name} yet; listeners speak plain text, so name it otherwise`,
      )
    }
    if (found.has(name)) {
      throw usage(`${place}: two listeners are named ${name}; give each a name, NAME://host:port`)
    }
    found.set(name, splitAddress(match?.[2] ?? '', place))
  }
  return found
}

function splitAddress(text: string, place: string): { host: string; port: number | undefined } {
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]/\s]+))(?::(\d{1,5}))?$/.exec(text)
  if (match === null) {
    const why = /^:\d/.test(text)
      ? 'names no host; 0.0.0.0 means all of this machine'
      : 'is no address'
    throw usage(`${place}: ${text} ${why}; give host:port`)
  }
  const port = match[3] === undefined ? undefined : Number(match[3])
  if (port !== undefined && port > 65_535) throw usage(`${place}: ${port} is no port`)
  return { host: match[1] ?? match[2] ?? '', port }
}
