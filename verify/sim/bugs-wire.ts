// Planted errors between the node and its clients: what a wrong codec, connection, error map or coordinator would do, as it looks
// from outside.

import type { Prng } from '../../src/env/sim/prng.ts'
import { createTopics } from '../../src/protocol/messages/create-topics.ts'
import { deleteTopics } from '../../src/protocol/messages/delete-topics.ts'
import { fetch } from '../../src/protocol/messages/fetch.ts'
import { initProducerId } from '../../src/protocol/messages/init-producer-id.ts'
import { listOffsets } from '../../src/protocol/messages/list-offsets.ts'
import { offsetCommit } from '../../src/protocol/messages/offset-commit.ts'
import { produce } from '../../src/protocol/messages/produce.ts'
import {
  batchesIn,
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  NO_SEQUENCE,
} from '../../src/records/batch-header.ts'
import { setProducer } from '../../src/records/rewrite.ts'
import type { Bug } from './bugs.ts'
import { rewriteRequest, rewriteResponse, tampering, type Tamper } from './tamper.ts'

type Make = (chance: Prng) => () => Tamper

function bug(name: string, what: string, make: Make): Bug {
  return { name, what, wrap: (chance) => (env) => tampering(env, make(chance)) }
}

export const WIRE_BUGS: readonly Bug[] = [
  bug('answers-swapped', 'one answer in 30 goes out after the next one', (chance) => () => {
    let held: Uint8Array | undefined
    return {
      response: (frame) => {
        if (held !== undefined) {
          const both = [frame, held]
          held = undefined
          return both
        }
        if (chance.below(30) > 0) return [frame]
        held = frame
        return []
      },
    }
  }),
  bug('answer-dropped', 'one answer in 100 does not go out', (chance) => () => ({
    response: (frame) => (chance.below(100) > 0 ? [frame] : []),
  })),
  bug(
    'answer-bit-flipped',
    'one fetch answer in 20 has a wrong bit near its end',
    (chance) => () => ({
      response: (frame, asked) => {
        if (asked?.key !== fetch.key || frame.length < 200 || chance.below(20) > 0) return [frame]
        const copy = frame.slice()
        const at = copy.length - 30
        copy[at] = (copy[at] ?? 0) ^ 16
        return [copy]
      },
    }),
  ),
  bug('errors-as-success', 'every produce error reaches the client as success', () => () => ({
    response: (frame, asked) =>
      rewriteResponse(produce, frame, asked, (body) => ({
        ...body,
        responses: body.responses.map((topic) => ({
          ...topic,
          partitionResponses: topic.partitionResponses.map((one) => ({ ...one, errorCode: 0 })),
        })),
      })),
  })),
  bug(
    'written-before-refused',
    'one produce in 50 is written and then refused',
    (chance) => () => ({
      response: (frame, asked) =>
        chance.below(50) > 0
          ? [frame]
          : rewriteResponse(produce, frame, asked, (body) => ({
              ...body,
              responses: body.responses.map((topic) => ({
                ...topic,
                // INVALID_RECORD: not to be tried again, and certainly not written.
                partitionResponses: topic.partitionResponses.map((one) => ({
                  ...one,
                  errorCode: 87,
                })),
              })),
            })),
    }),
  ),
  bug('offset-off-by-one', 'one produce answer in 30 names the next offset', (chance) => () => ({
    response: (frame, asked) =>
      chance.below(30) > 0
        ? [frame]
        : rewriteResponse(produce, frame, asked, (body) => ({
            ...body,
            responses: body.responses.map((topic) => ({
              ...topic,
              partitionResponses: topic.partitionResponses.map((one) => ({
                ...one,
                baseOffset: one.baseOffset + 1,
              })),
            })),
          })),
  })),
  bug('retries-written-twice', 'sequences of idempotent producers are not looked at', () => () => ({
    request: (frame, asked) =>
      rewriteRequest(produce, frame, asked, (body) => {
        for (const { partitionData } of body.topicData) {
          for (const { records } of partitionData) {
            if (records !== null) forgetProducer(records)
          }
        }
        return body
      }),
  })),
  bug('one-producer-id', 'every producer gets the same id', () => () => ({
    response: (frame, asked) =>
      rewriteResponse(initProducerId, frame, asked, (body) => ({ ...body, producerId: 7 })),
  })),
  bug('fetch-skips', 'one fetch in 20 begins one offset too late', (chance) => () => ({
    request: (frame, asked) =>
      chance.below(20) > 0
        ? [frame]
        : rewriteRequest(fetch, frame, asked, (body) => ({
            ...body,
            topics: body.topics.map((topic) => ({
              ...topic,
              partitions: topic.partitions.map((one) => ({
                ...one,
                fetchOffset: one.fetchOffset + 1,
              })),
            })),
          })),
  })),
  bug(
    'high-watermark-lags',
    'one latest offset in 10 is that of a moment before',
    (chance) => () => ({
      response: (frame, asked) =>
        chance.below(10) > 0
          ? [frame]
          : rewriteResponse(listOffsets, frame, asked, (body) => ({
              ...body,
              topics: body.topics.map((topic) => ({
                ...topic,
                partitions: topic.partitions.map((one) => ({
                  ...one,
                  offset: Math.max(0, one.offset - 3),
                })),
              })),
            })),
    }),
  ),
  bug('commit-not-done', 'one commit of offsets in 3 is answered and not done', (chance) => () => {
    const skipped = new Map<number, Parameters<typeof offsetCommit.response.encode>[0]>()
    return {
      request: (frame, asked) =>
        chance.below(3) > 0
          ? [frame]
          : rewriteRequest(offsetCommit, frame, asked, (body) => {
              const topics = body.topics.map(({ name, topicId, partitions }) => ({
                name,
                topicId,
                partitions: partitions.map(({ partitionIndex }) => ({
                  partitionIndex,
                  errorCode: 0,
                })),
              }))
              skipped.set(asked.correlationId, { topics })
              return { ...body, topics: [] }
            }),
      response: (frame, asked) => {
        const answer = asked === undefined ? undefined : skipped.get(asked.correlationId)
        if (answer === undefined) return [frame]
        return rewriteResponse(offsetCommit, frame, asked, () => answer)
      },
    }
  }),
  bug('commit-off-by-one', 'one commit of offsets in 5 is one too low', (chance) => () => ({
    request: (frame, asked) =>
      chance.below(5) > 0
        ? [frame]
        : rewriteRequest(offsetCommit, frame, asked, (body) => ({
            ...body,
            topics: body.topics.map((topic) => ({
              ...topic,
              partitions: topic.partitions.map((one) => ({
                ...one,
                committedOffset: Math.max(0, one.committedOffset - 1),
              })),
            })),
          })),
  })),
  bug(
    'topic-not-created',
    'one topic in 3 is checked, acknowledged and not created',
    (chance) => () => ({
      request: (frame, asked) =>
        chance.below(3) > 0
          ? [frame]
          : rewriteRequest(createTopics, frame, asked, (body) => ({ ...body, validateOnly: true })),
    }),
  ),
  bug(
    'topic-not-deleted',
    'one deletion of a topic in 3 is acknowledged and not done',
    (chance) => () => ({
      request: (frame, asked) =>
        chance.below(3) > 0
          ? [frame]
          : rewriteRequest(deleteTopics, frame, asked, (body) => ({
              ...body,
              topics: body.topics.map((topic) => ({ ...topic, name: `${topic.name}-not` })),
            })),
      response: (frame, asked) =>
        rewriteResponse(deleteTopics, frame, asked, (body) => ({
          ...body,
          responses: body.responses.map((one) => ({ ...one, errorCode: 0 })),
        })),
    }),
  ),
]

function forgetProducer(records: Uint8Array): void {
  for (const at of [...batchesIn(records)]) {
    setProducer(records, at, {
      producerId: NO_PRODUCER_ID,
      producerEpoch: NO_PRODUCER_EPOCH,
      baseSequence: NO_SEQUENCE,
    })
  }
}
