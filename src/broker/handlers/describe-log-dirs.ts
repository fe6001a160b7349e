// DescribeLogDirs: the bytes that partitions take on this node (KIP-113), and the room that is left (KIP-827).
//
// Does: v1-5. There is one directory, and no replica moves between directories.
// Does not: the total size of the file system, which is not known here (-1).

import { DiskError, type Disk } from '../../env/disk.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { RequestOf, ResponseInputOf } from '../../protocol/message.ts'
import type { describeLogDirs } from '../../protocol/messages/describe-log-dirs.ts'
import type { ApiHandler } from '../dispatcher.ts'
import type { RequestContext } from '../handler.ts'
import type { Services } from '../services.ts'

type Request = RequestOf<typeof describeLogDirs>
type Response = ResponseInputOf<typeof describeLogDirs>
type TopicAnswer = Response['results'][number]['topics'][number]

/** -1 where the disk can't tell. */
async function freeBytes(disk: Disk, path: string): Promise<number> {
  try {
    return await disk.freeBytes(path)
  } catch (error) {
    if (error instanceof DiskError) return -1
    throw error
  }
}

export class DescribeLogDirsHandler implements ApiHandler<Request, Response> {
  readonly #services: Services

  constructor(services: Services) {
    this.#services = services
  }

  async handle(_context: RequestContext, request: Request): Promise<Response> {
    const { env, config } = this.#services
    const logDir = config['log.dirs']
    const usableBytes = await freeBytes(env.disk, logDir)
    return {
      throttleTimeMs: 0,
      errorCode: ErrorCode.NONE,
      results: [{ errorCode: ErrorCode.NONE, logDir, topics: this.#topics(request), usableBytes }],
    }
  }

  failed(_request: Request, error: ErrorCode): Response {
    return { throttleTimeMs: 0, errorCode: error, results: [] }
  }

  #topics(request: Request): TopicAnswer[] {
    const { partitions } = this.#services
    const asked =
      request.topics === null
        ? undefined
        : new Set(request.topics.flatMap((of) => of.partitions.map((p) => `${of.topic}/${p}`)))
    const topics = new Map<string, TopicAnswer['partitions'][number][]>()
    for (const { topic, index, log } of partitions.all()) {
      if (asked !== undefined && !asked.has(`${topic}/${index}`)) continue
      const described = topics.get(topic) ?? []
      topics.set(topic, described)
      described.push({
        partitionIndex: index,
        partitionSize: log.bytes,
        offsetLag: Math.max(0, log.highWatermark - log.logEnd.offset),
        isFutureKey: false,
      })
    }
    return [...topics].map(([name, described]) => ({ name, partitions: described }))
  }
}
