// What each command answers when it was not done, or when it is not known whether it was: the error for everything that was asked
// for, in the shape of the command's answer.

import { ZERO_UUID } from '../protocol/schema.ts'
import type { CommandResult, ControllerCommands } from './commands.ts'
import { failedTopic } from './create-topics.ts'

type Refusals = {
  readonly [Name in keyof ControllerCommands]: (
    error: CommandResult,
    ...args: Parameters<ControllerCommands[Name]>
  ) => Awaited<ReturnType<ControllerCommands[Name]>>
}

const ofResources = <
  Resource extends { readonly resourceType: number; readonly resourceName: string },
>(
  error: CommandResult,
  resources: readonly Resource[],
) => resources.map(({ resourceType, resourceName }) => ({ ...error, resourceType, resourceName }))

export const refusals: Refusals = {
  createTopics: (error, topics) => topics.map(({ name }) => failedTopic(name, error)),
  autoCreateTopics: (error, names) => names.map((name) => failedTopic(name, error)),
  deleteTopics: (error, topics) =>
    topics.map(({ name, id }) => ({ ...error, name: name ?? null, topicId: id ?? ZERO_UUID })),
  createPartitions: (error, topics) => topics.map(({ name }) => ({ ...error, name })),
  alterConfigs: ofResources,
  incrementalAlterConfigs: ofResources,
  allocateProducerIds: (error) => ({ ...error, first: -1, count: 0 }),
  registerBroker: (error) => error,
  setDraining: (error) => error,
  catchUp: (error) => error,
}
