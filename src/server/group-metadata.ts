// What the group coordinator asks of the cluster's metadata.

import type { MetadataView } from '../controller/controller.ts'
import { OFFSETS_TOPIC } from '../controller/metadata-image.ts'
import type { GroupMetadataPort } from '../groups/group-api.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { ZERO_UUID } from '../protocol/schema.ts'

export function groupMetadata(controller: MetadataView): GroupMetadataPort {
  const topic = (name: string) => controller.image.topics.get(name)
  return {
    offsetsPartitionCount: () => topic(OFFSETS_TOPIC)?.partitions.length,
    createOffsetsTopic: async () => {
      const [result] = await controller.autoCreateTopics([OFFSETS_TOPIC])
      return (result?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR) as ErrorCode
    },
    partitionCount: (name) => topic(name)?.partitions.length,
    topicName: (topicId) => controller.image.topicsById.get(topicId)?.name,
    caughtUp: async () => (await controller.catchUp()).errorCode === ErrorCode.NONE,
    topicId: (name) => topic(name)?.id ?? ZERO_UUID,
  }
}
