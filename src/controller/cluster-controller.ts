// The controller as a node of a cluster sees it: metadata from its own replica, commands carried to the node that leads the
// metadata log. A command's answer waits until this node, too, has applied what it changed.

import type { NodeId } from '../base/brand.ts'
import type { ConfigLayers } from '../base/config/resolve.ts'
import type { BrokerConfigs } from '../base/config/broker-configs.ts'
import type { TopicConfigs } from '../base/config/topic-configs.ts'
import type { Clock, Timers } from '../env/env.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import {
  decodeAnswer,
  decodeCall,
  encodeAnswer,
  encodeCall,
  type CommandName,
} from './call-codec.ts'
import { type CommandResult, type ControllerCommands, failed } from './commands.ts'
import type { Controller, MetadataView } from './controller.ts'
import type { MetadataChange, MetadataImage, TopicImage } from './metadata-image.ts'
import { refusals } from './refusals.ts'

/** To the other nodes. */
export interface ControllerLink {
  /** Fails when it is not known whether the other node did it. */
  call(to: NodeId, body: Uint8Array): Promise<Uint8Array>
  onCall(handler: (from: NodeId, body: Uint8Array) => Promise<Uint8Array>): void
}

export interface ClusterControllerOptions {
  readonly controller: Controller
  readonly nodeId: NodeId
  readonly env: { readonly clock: Clock; readonly timers: Timers }
  readonly link: ControllerLink
}

/** How long a command may look for a leader. */
const LEADER_WAIT_MS_MAX = 5_000
const LEADER_RETRY_MS = 20
/** How long an answer waits for this node's replica. */
const APPLIED_WAIT_MS_MAX = 5_000

type Args<Name extends CommandName> = Parameters<ControllerCommands[Name]>
type Result<Name extends CommandName> = Awaited<ReturnType<ControllerCommands[Name]>>

export class ClusterController implements MetadataView {
  readonly #controller: Controller
  readonly #nodeId: NodeId
  readonly #env: ClusterControllerOptions['env']
  readonly #link: ControllerLink

  constructor({ controller, nodeId, env, link }: ClusterControllerOptions) {
    this.#controller = controller
    this.#nodeId = nodeId
    this.#env = env
    this.#link = link
    link.onCall((_from, body) => this.#serve(body))
  }

  get image(): MetadataImage {
    return this.#controller.image
  }

  get controllerId(): NodeId | undefined {
    return this.#controller.controllerId
  }

  onChange(listener: (change: MetadataChange) => void): () => void {
    return this.#controller.onChange(listener)
  }

  topicConfigLayers(topic: TopicImage): ConfigLayers {
    return this.#controller.topicConfigLayers(topic)
  }

  topicConfigs(topic: TopicImage): TopicConfigs {
    return this.#controller.topicConfigs(topic)
  }

  brokerConfigLayers(): ConfigLayers {
    return this.#controller.brokerConfigLayers()
  }

  brokerConfigs(): BrokerConfigs {
    return this.#controller.brokerConfigs()
  }

  createTopics(...args: Args<'createTopics'>): Promise<Result<'createTopics'>> {
    return this.#run('createTopics', args)
  }

  autoCreateTopics(...args: Args<'autoCreateTopics'>): Promise<Result<'autoCreateTopics'>> {
    return this.#run('autoCreateTopics', args)
  }

  deleteTopics(...args: Args<'deleteTopics'>): Promise<Result<'deleteTopics'>> {
    return this.#run('deleteTopics', args)
  }

  createPartitions(...args: Args<'createPartitions'>): Promise<Result<'createPartitions'>> {
    return this.#run('createPartitions', args)
  }

  alterConfigs(...args: Args<'alterConfigs'>): Promise<Result<'alterConfigs'>> {
    return this.#run('alterConfigs', args)
  }

  incrementalAlterConfigs(
    ...args: Args<'incrementalAlterConfigs'>
  ): Promise<Result<'incrementalAlterConfigs'>> {
    return this.#run('incrementalAlterConfigs', args)
  }

  allocateProducerIds(): Promise<Result<'allocateProducerIds'>> {
    return this.#run('allocateProducerIds', [])
  }

  registerBroker(...args: Args<'registerBroker'>): Promise<Result<'registerBroker'>> {
    return this.#run('registerBroker', args)
  }

  setDraining(...args: Args<'setDraining'>): Promise<Result<'setDraining'>> {
    return this.#run('setDraining', args)
  }

  catchUp(): Promise<Result<'catchUp'>> {
    return this.#run('catchUp', [])
  }

  async #run<Name extends CommandName>(name: Name, args: Args<Name>): Promise<Result<Name>> {
    const untilMs = this.#env.clock.monotonicMs() + LEADER_WAIT_MS_MAX
    for (;;) {
      const refused = await this.#attempt(name, args)
      if (refused.done) return refused.result
      if (this.#env.clock.monotonicMs() >= untilMs) return refused.result
      await this.#sleep(LEADER_RETRY_MS)
    }
  }

  /** Not done: nobody there decided anything, so that it may be tried again. */
  async #attempt<Name extends CommandName>(
    name: Name,
    args: Args<Name>,
  ): Promise<{ readonly done: boolean; readonly result: Result<Name> }> {
    const leader = this.#controller.controllerId
    if (leader === undefined || leader === this.#nodeId) {
      const result = await this.#local(name, args)
      return { done: !isNotController(result), result }
    }
    let body: Uint8Array
    try {
      body = await this.#link.call(leader, encodeCall({ name, args }))
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      return { done: true, result: unconfirmed(name, args, why) }
    }
    const { result, offset } = decodeAnswer(body)
    if (isNotController(result)) return { done: false, result: result as Result<Name> }
    if (await this.#applied(offset)) return { done: true, result: result as Result<Name> }
    const late = 'this node has not caught up with it'
    return { done: true, result: unconfirmed(name, args, late) }
  }

  async #serve(body: Uint8Array): Promise<Uint8Array> {
    const { name, args } = decodeCall(body)
    const result = await this.#local(name, args as Args<typeof name>)
    return encodeAnswer({ result, offset: this.#controller.image.offset })
  }

  #local<Name extends CommandName>(name: Name, args: Args<Name>): Promise<Result<Name>> {
    const command = this.#controller[name] as (...given: Args<Name>) => Promise<Result<Name>>
    return command.apply(this.#controller, args)
  }

  /** False: not within the time. */
  #applied(offset: number): Promise<boolean> {
    if (this.#controller.image.offset >= offset) return Promise.resolve(true)
    return new Promise((resolve) => {
      const settle = (applied: boolean): void => {
        stop()
        timer.cancel()
        resolve(applied)
      }
      const stop = this.#controller.onChange(({ image }) => {
        if (image.offset >= offset) settle(true)
      })
      const timer = this.#env.timers.after(APPLIED_WAIT_MS_MAX, () => settle(false))
    })
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#env.timers.after(ms, resolve))
  }
}

const resultsOf = (result: unknown): CommandResult[] =>
  (Array.isArray(result) ? result : [result]) as CommandResult[]

function isNotController(result: unknown): boolean {
  const results = resultsOf(result)
  return (
    results.length > 0 && results.every(({ errorCode }) => errorCode === ErrorCode.NOT_CONTROLLER)
  )
}

/** It may have been done, or may be yet: it must not be tried again in the client's name. */
function unconfirmed<Name extends CommandName>(
  name: Name,
  args: Args<Name>,
  why: string,
): Result<Name> {
  const error = failed(
    'REQUEST_TIMED_OUT',
    `The change was not confirmed and may still take effect: ${why}.`,
  )
  const refuse = refusals[name] as (error: CommandResult, ...given: Args<Name>) => Result<Name>
  return refuse(error, ...args)
}
