// Everything that HTTP answers, from the first moment of a node on: before it has joined its cluster there is health alone.

import type { AnswerHttp, HttpRequest, HttpResponse } from '../env/http.ts'
import type { Logger } from '../env/env.ts'
import type { ClusterAdmin, Readiness } from './cluster-admin.ts'
import { answerClusterApi, CLUSTER_PATH, errorAnswer } from './cluster-api.ts'
import { answerHealth } from './health.ts'
import { type Guard, refuse } from './request-guard.ts'

export interface HttpApi {
  readonly readiness: () => Readiness
  /** Undefined while the node does not know its cluster. */
  readonly cluster: () => ClusterAdmin | undefined
  readonly guard: Guard
  readonly log: Logger
}

export function httpApi(api: HttpApi): AnswerHttp {
  return async (request) => {
    try {
      return await answer(request, api)
    } catch (error) {
      const { method, path } = request
      const cause = error instanceof Error ? (error.stack ?? error.message) : String(error)
      api.log.error('a defect: an HTTP request failed', { method, path, cause })
      return errorAnswer(500, 'INTERNAL', 'the node failed to answer; its log says more')
    }
  }
}

async function answer(request: HttpRequest, api: HttpApi): Promise<HttpResponse> {
  const health = answerHealth(request, api.readiness)
  if (health !== undefined) return health
  const { path } = request
  if (path !== CLUSTER_PATH && !path.startsWith(`${CLUSTER_PATH}/`)) return notFound
  const refusal = refuse(request, api.guard)
  if (refusal !== undefined) return errorAnswer(refusal.status, refusal.code, refusal.message)
  const admin = api.cluster()
  if (admin === undefined) {
    const readiness = api.readiness()
    const why = readiness.ready ? '' : `: ${readiness.reason}`
    return errorAnswer(503, 'NOT_READY', `the node does not know its cluster yet${why}`)
  }
  return (await answerClusterApi(request, admin)) ?? notFound
}

const notFound = errorAnswer(
  404,
  'NOT_FOUND',
  `not found; there are /livez, /readyz and ${CLUSTER_PATH}`,
)
