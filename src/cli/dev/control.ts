// How the commands reach a running supervisor: it answers HTTP on a loopback port of its own, and has noted port and token
// in `dev.json`, which only its user may read. (A Unix socket would do, but for its path of at most 100 bytes.)

import type { Http, HttpRequest, HttpResponse } from '../../env/http.ts'
import { NetError, type NetListener } from '../../env/network.ts'
import type { CallHttp } from '../admin-client.ts'
import { Failure } from '../failure.ts'
import { DEV_ACTIONS, type DevAction, type DevCluster, type DevNodeReport } from './dev-cluster.ts'
import type { DevNodeStatus } from './dev-node.ts'

const PATH = '/dev'
const HOST = '127.0.0.1'
/** Longer than a supervisor waits for a node to end. */
const TIMEOUT_MS = 20_000

export interface ControlNote {
  readonly pid: number
  readonly port: number
  readonly token: string
}

export interface DevStatus {
  readonly supervisor: { readonly pid: number; readonly directory: string }
  readonly nodes: readonly DevNodeReport[]
}

/** What is asked; `nodes` 'all' stands for every one. */
export type ControlRequest =
  | { readonly action: 'status' }
  | { readonly action: DevAction; readonly nodes: readonly number[] | 'all' }

interface Answer {
  readonly status?: DevStatus
  readonly nodes?: readonly DevNodeStatus[]
  readonly error?: { readonly message: string; readonly exitCode: 1 | 2 }
}

export function listenForControl(
  http: Http,
  options: {
    readonly cluster: DevCluster
    readonly token: string
    readonly supervisor: DevStatus['supervisor']
  },
): Promise<NetListener> {
  return http.listen({ host: HOST, port: 0 }, async (request) => {
    const asked = requestOf(request, options.token)
    if (asked === undefined) return json(403, { error: { message: 'not for you', exitCode: 1 } })
    try {
      return json(200, await perform(asked, options))
    } catch (error) {
      const { message, exitCode } =
        error instanceof Failure
          ? error
          : { message: `a defect of the supervisor: ${String(error)}`, exitCode: 1 as const }
      return json(200, { error: { message, exitCode } })
    }
  })
}

function requestOf(request: HttpRequest, token: string): ControlRequest | undefined {
  if (request.method !== 'POST' || request.path !== PATH) return undefined
  const body = parsed(request.body)
  if (typeof body !== 'object' || body === null || !('token' in body)) return undefined
  if (body.token !== token || !('action' in body)) return undefined
  if (body.action === 'status') return { action: 'status' }
  const action = DEV_ACTIONS.find((name) => name === body.action)
  if (action === undefined || !('nodes' in body)) return undefined
  if (body.nodes === 'all') return { action, nodes: 'all' }
  if (!Array.isArray(body.nodes)) return undefined
  const nodes = body.nodes.filter((id): id is number => typeof id === 'number')
  return { action, nodes }
}

async function perform(
  asked: ControlRequest,
  { cluster, supervisor }: Parameters<typeof listenForControl>[1],
): Promise<Answer> {
  if (asked.action === 'status') return { status: { supervisor, nodes: await cluster.report() } }
  const { action, nodes } = asked
  const ids = nodes === 'all' ? cluster.nodes.map(({ layout }) => layout.nodeId) : nodes
  return { nodes: await cluster.act(action, ids) }
}

function json(status: number, answer: Answer): HttpResponse {
  return { status, contentType: 'application/json', body: JSON.stringify(answer) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Undefined where no supervisor answers at what was noted. Fails with what the supervisor refuses. */
export async function askSupervisor(
  callHttp: CallHttp,
  { port, token }: ControlNote,
  request: ControlRequest,
): Promise<Answer | undefined> {
  try {
    const { status, body } = await callHttp(
      { host: HOST, port },
      { method: 'POST', path: PATH, body: { ...request, token }, timeoutMs: TIMEOUT_MS },
    )
    const answer = parsed(body)
    // Somebody else has the port by now.
    if (status !== 200 || typeof answer !== 'object' || answer === null) return undefined
    const { error } = answer as Answer
    if (error === undefined) return answer
    throw new Failure(error.message, { exitCode: error.exitCode })
  } catch (error) {
    if (error instanceof NetError && error.code !== 'ETIMEDOUT') return undefined
    throw error instanceof NetError
      ? new Failure(`the supervisor does not answer: ${error.message}`, { cause: error })
      : error
  }
}
