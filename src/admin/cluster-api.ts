// The cluster over HTTP, as JSON. An error is `{"error": {"code", "message"}}`.
//
//   GET  /api/v1/cluster                    the status; with ?partitions=true a page of partitions as well
//   POST /api/v1/cluster/transfer-leader    {"topic", "partition", "to"?}
//   POST /api/v1/cluster/drain              {"node"}, and {"node", "undo": true}

import type { HttpRequest, HttpResponse } from '../env/http.ts'
import type { AdminErrorCode, AdminResult, ClusterAdmin } from './cluster-admin.ts'
import { type PageRequest, pageOf, statusOf } from './cluster-status.ts'

export const CLUSTER_PATH = '/api/v1/cluster'
export const PAGE_LIMIT_DEFAULT = 500
export const PAGE_LIMIT_MAX = 5000

/** The caller asked wrongly; the message says how. */
class BadRequest extends Error {}

const STATUS_OF: Readonly<Record<AdminErrorCode, number>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 404,
  UNKNOWN_NODE: 404,
  NOT_A_REPLICA: 409,
  TARGET_UNFIT: 409,
  NOT_LEADER: 421,
  NO_LEADER: 503,
  TIMED_OUT: 504,
}

type Route = (request: HttpRequest, admin: ClusterAdmin) => HttpResponse | Promise<HttpResponse>

const routes: Readonly<Record<string, Readonly<Record<string, Route>>>> = {
  [CLUSTER_PATH]: { GET: status, HEAD: status },
  [`${CLUSTER_PATH}/transfer-leader`]: { POST: transferLeader },
  [`${CLUSTER_PATH}/drain`]: { POST: drain },
}

/** Undefined where the path is none of these. */
export async function answerClusterApi(
  request: HttpRequest,
  admin: ClusterAdmin,
): Promise<HttpResponse | undefined> {
  const verbs = Object.hasOwn(routes, request.path) ? routes[request.path] : undefined
  if (verbs === undefined) return undefined
  const route = Object.hasOwn(verbs, request.method) ? verbs[request.method] : undefined
  if (route === undefined) {
    const allow = Object.keys(verbs).join(', ')
    const answer = errorAnswer(405, 'METHOD_NOT_ALLOWED', `here there is ${allow}`)
    return { ...answer, headers: { allow } }
  }
  try {
    return await route(request, admin)
  } catch (error) {
    if (!(error instanceof BadRequest)) throw error
    return errorAnswer(400, 'BAD_REQUEST', error.message)
  }
}

export function errorAnswer(
  status: number,
  code: string,
  message: string,
  more: Readonly<Record<string, unknown>> = {},
): HttpResponse {
  return json(status, { error: { code, message, ...more } })
}

function json(status: number, value: unknown): HttpResponse {
  return { status, contentType: 'application/json', body: `${JSON.stringify(value)}\n` }
}

function status({ query }: HttpRequest, admin: ClusterAdmin): HttpResponse {
  const given = new URLSearchParams(query)
  for (const name of given.keys()) {
    if (['partitions', 'topic', 'after', 'limit'].includes(name)) continue
    throw new BadRequest(`there is no parameter ${name}, but partitions, topic, after and limit`)
  }
  const wanted = given.get('partitions') ?? 'false'
  if (wanted !== 'true' && wanted !== 'false') throw new BadRequest('partitions is true or false')
  const whole = statusOf(admin)
  if (wanted === 'false') return json(200, whole)
  const { partitions, next } = pageOf(admin, pageRequest(given))
  return json(200, { ...whole, page: { partitions, next } })
}

function pageRequest(given: URLSearchParams): PageRequest {
  const after = given.get('after')
  const match = after === null ? undefined : /^([^/]+)\/(\d{1,9})$/.exec(after)
  if (match === null) throw new BadRequest('after is topic/partition, as "next" of the page before')
  const limit = Number(given.get('limit') ?? PAGE_LIMIT_DEFAULT)
  if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_LIMIT_MAX) {
    throw new BadRequest(`limit is a whole number from 1 to ${PAGE_LIMIT_MAX}`)
  }
  return {
    topic: given.get('topic') ?? undefined,
    after: match === undefined ? undefined : { topic: match[1] ?? '', partition: Number(match[2]) },
    limit,
  }
}

async function transferLeader(request: HttpRequest, admin: ClusterAdmin): Promise<HttpResponse> {
  const body = fieldsOf(request, ['topic', 'partition', 'to'])
  const { topic } = body
  if (typeof topic !== 'string' || topic === '') throw new BadRequest('topic: give its name')
  const partition = wholeNumber(body, 'partition')
  const to = body['to'] === undefined ? {} : { to: wholeNumber(body, 'to') }
  return answerOf(await admin.transferLeader({ topic, partition, ...to }))
}

async function drain(request: HttpRequest, admin: ClusterAdmin): Promise<HttpResponse> {
  const body = fieldsOf(request, ['node', 'undo'])
  const { undo = false } = body
  if (typeof undo !== 'boolean') throw new BadRequest('undo is true or false')
  const nodeId = wholeNumber(body, 'node')
  return answerOf(await (undo ? admin.undrain(nodeId) : admin.drain(nodeId)))
}

function answerOf(result: AdminResult<unknown>): HttpResponse {
  if (result.ok) return json(200, result.value)
  const { code, message, nodeId } = result.error
  return errorAnswer(STATUS_OF[code], code, message, nodeId === undefined ? {} : { node: nodeId })
}

/** The body as an object that has none but these fields. */
function fieldsOf({ body }: HttpRequest, known: readonly string[]): Record<string, unknown> {
  const value = parsed(body)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadRequest('the body is not a JSON object')
  }
  const unknown = Object.keys(value).find((name) => !known.includes(name))
  if (unknown !== undefined) {
    throw new BadRequest(`there is no field ${unknown}, but ${known.join(', ')}`)
  }
  return value as Record<string, unknown>
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new BadRequest('the body is not JSON')
  }
}

function wholeNumber(body: Record<string, unknown>, field: string): number {
  const value = body[field]
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 31) {
    return value
  }
  throw new BadRequest(`${field}: give a whole number`)
}
