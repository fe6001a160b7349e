// The controller: the cluster's metadata as a replicated state machine, and the commands that change it.

import type { ConfigLayers } from '../base/config/resolve.ts'
import type { TopicConfigs } from '../base/config/topic-configs.ts'
import type { ControllerCommands } from './commands.ts'
import type { MetadataChange, MetadataImage, TopicImage } from './metadata-image.ts'

export interface MetadataView extends ControllerCommands {
  /** As applied on this node. */
  readonly image: MetadataImage
  /** Called after each applied batch, in order, synchronously; returns the function that takes the listener off again. */
  onChange(listener: (change: MetadataChange) => void): () => void
  /** Where the topic's configs come from, for DescribeConfigs (`describeTopicConfigs`). */
  topicConfigLayers(topic: TopicImage): ConfigLayers
  /** The configs in force for the topic on this broker. Cached. */
  topicConfigs(topic: TopicImage): TopicConfigs
  /** Where this broker's configs come from (`describeBrokerConfigs`). */
  brokerConfigLayers(): ConfigLayers
}
