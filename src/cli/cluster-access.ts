// How the commands reach a cluster: where it is (`--bootstrap`, CHRONIK_BOOTSTRAP, 127.0.0.1:9092), and what to tell
// a person when it can't be reached or refuses.

import type { Command } from 'commander'
import { hostPort } from '../base/hosts.ts'
import { ClientError, KafkaError, RequestError } from '../client/client-error.ts'
import { Cluster } from '../client/cluster.ts'
import { ProduceError } from '../client/produce-batch.ts'
import type { DataWorld } from './data-world.ts'
import { Failure, usage } from './failure.ts'
import { type Address, parseAddress } from './options-listeners.ts'

const DEFAULT_BOOTSTRAP = '127.0.0.1:9092'
const ENVIRONMENT = 'CHRONIK_BOOTSTRAP'

export interface AccessOptions {
  readonly bootstrap?: string
  /** Seconds, as text. */
  readonly timeout?: string
}

const TIMEOUT_DEFAULT_S = 30

/** Adds the options that every command here has. */
export function withAccess(command: Command): Command {
  return command
    .option(
      '-b, --bootstrap <host:port>',
      `a node of the cluster, or several with commas (default: $${ENVIRONMENT} or ${DEFAULT_BOOTSTRAP})`,
    )
    .option('--timeout <seconds>', `give up after so long (default: ${TIMEOUT_DEFAULT_S})`)
}

/** Runs `action` with a cluster that is known to answer; what goes wrong becomes a Failure that says what to do. */
export async function withCluster<T>(
  world: DataWorld,
  options: AccessOptions,
  action: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const bootstrap = bootstrapOf(world, options)
  const cluster = new Cluster(world.env, {
    bootstrap,
    clientId: 'chronik-cli',
    requestTimeoutMs: timeoutMsOf(options),
    connectTimeoutMs: Math.min(timeoutMsOf(options), 10_000),
  })
  try {
    // Fails at once where nothing answers; from here on, a node that is away for a moment is waited for.
    await cluster.refresh([])
    return await action(cluster)
  } catch (error) {
    throw explained(error, bootstrap)
  } finally {
    cluster.close()
  }
}

export function timeoutMsOf({ timeout }: AccessOptions): number {
  return positive(timeout ?? `${TIMEOUT_DEFAULT_S}`, '--timeout') * 1000
}

function bootstrapOf(world: DataWorld, { bootstrap }: AccessOptions): Address[] {
  const fromEnvironment = world.environment[ENVIRONMENT]
  const place = bootstrap === undefined ? ENVIRONMENT : '--bootstrap'
  const text = bootstrap ?? fromEnvironment ?? DEFAULT_BOOTSTRAP
  return text.split(',').map((part) => parseAddress(part.trim(), place))
}

function explained(error: unknown, bootstrap: readonly Address[]): unknown {
  const where = bootstrap.map(hostPort).join(', ')
  if (error instanceof RequestError) {
    const refused = error.fault === 'not-sent' && /ECONNREFUSED/.test(error.message)
    const message = refused
      ? `nothing listens at ${where}; start a node with "chronik start", or say where one is with --bootstrap host:port`
      : error.message
    return new Failure(message, { cause: error })
  }
  if (error instanceof KafkaError) return new Failure(hinted(error), { cause: error })
  if (error instanceof ProduceError || error instanceof ClientError) {
    return new Failure(error.message, { cause: error })
  }
  return error
}

function hinted(error: KafkaError): string {
  switch (error.error) {
    case 'UNKNOWN_TOPIC_OR_PARTITION':
      return `${error.message} ("chronik topic list" shows what there is)`
    case 'OFFSET_OUT_OF_RANGE':
      return `${error.message} ("chronik topic describe" shows the offsets that there are)`
    case 'GROUP_ID_NOT_FOUND':
      return `${error.message} ("chronik group list" shows what there is)`
    case 'TOPIC_ALREADY_EXISTS':
      return `${error.message} (with --if-not-exists that is no failure)`
    default:
      return error.message
  }
}

/** A number above 0, or a usage failure that names the place. */
export function positive(text: string, place: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value <= 0) throw usage(`${place}: ${text} is no number above 0`)
  return value
}

/** A whole number from `min` on, or a usage failure that names the place. */
export function whole(text: string, place: string, min = 0): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= min) return value
  throw usage(`${place}: ${text} is no whole number from ${min} on`)
}

/** Collects an option that may be given several times. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value]
}

/** `name=value`, or a usage failure that names the place. */
export function assignment(text: string, place: string): [string, string] {
  const at = text.indexOf('=')
  if (at <= 0) throw usage(`${place}: ${text} is not of the form name=value`)
  return [text.slice(0, at), text.slice(at + 1)]
}
