// ApiVersions: which APIs and versions this node serves (KIP-35, KIP-511, KIP-584).
//
// Does: v0-4, the answer in v0 with error 35 to a version it does not know, the check of the client's software name (v3).
// Does not: list features that the cluster has not finalized.

import { API_VERSIONS_KEY } from '../../protocol/api-keys.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import type { apiVersions } from '../../protocol/messages/api-versions.ts'
import type { ApiHandler } from '../dispatcher.ts'
import type { RequestContext } from '../handler.ts'
import type { Services } from '../services.ts'

type Request = RequestOf<typeof apiVersions>
type Response = ResponseInputOf<typeof apiVersions>

export interface AdvertisedApi {
  readonly apiKey: number
  readonly minVersion: number
  readonly maxVersion: number
}

const SOFTWARE_PATTERN = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

export class ApiVersionsHandler implements ApiHandler<Request, Response> {
  readonly #services: Pick<Services, 'controller'>
  /** Called at the first request: the table that lists this handler is complete by then. */
  readonly #advertised: () => readonly AdvertisedApi[]

  constructor(services: Pick<Services, 'controller'>, advertised: () => readonly AdvertisedApi[]) {
    this.#services = services
    this.#advertised = advertised
  }

  handle(context: RequestContext, request: Request): Response {
    if (!context.versionSupported) {
      return this.#refused(
        ErrorCode.UNSUPPORTED_VERSION,
        this.#advertised().filter(({ apiKey }) => apiKey === API_VERSIONS_KEY),
      )
    }
    if (context.version >= 3) {
      const { clientSoftwareName, clientSoftwareVersion } = request
      if (
        !SOFTWARE_PATTERN.test(clientSoftwareName) ||
        !SOFTWARE_PATTERN.test(clientSoftwareVersion)
      ) {
        return this.#refused(ErrorCode.INVALID_REQUEST, [])
      }
    }
    const { features, offset } = this.#services.controller.image
    const finalized = [...features].filter(([, level]) => level > 0)
    return {
      errorCode: ErrorCode.NONE,
      apiKeys: this.#advertised(),
      throttleTimeMs: 0,
      supportedFeatures: finalized.map(([name, level]) => ({
        name,
        minVersion: 1,
        maxVersion: level,
      })),
      finalizedFeaturesEpoch: finalized.length === 0 ? -1 : offset,
      finalizedFeatures: finalized.map(([name, level]) => ({
        name,
        minVersionLevel: level,
        maxVersionLevel: level,
      })),
    }
  }

  failed(_request: Request, error: ErrorCode): Response {
    return this.#refused(error, [])
  }

  #refused(errorCode: number, apiKeys: readonly AdvertisedApi[]): Response {
    return {
      errorCode,
      apiKeys,
      throttleTimeMs: 0,
      supportedFeatures: [],
      finalizedFeatures: [],
    }
  }
}
