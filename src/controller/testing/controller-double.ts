// Test support: a real controller over a log in memory that the test drives.

import { asNodeId } from '../../base/brand.ts'
import type { Logger } from '../../env/env.ts'
import { ReplicatedLogDouble } from '../../replicated/testing/double.ts'
import { VirtualTime } from '../../replicated/testing/virtual-time.ts'
import { Controller } from '../controller.ts'
import { METADATA_LOG_ID } from '../metadata-image.ts'

export interface ControllerRig {
  readonly controller: Controller
  readonly log: ReplicatedLogDouble
  readonly time: VirtualTime
}

export async function openController(
  options: {
    readonly log?: ReplicatedLogDouble
    readonly time?: VirtualTime
    readonly staticConfigs?: Readonly<Record<string, string>>
  } = {},
): Promise<ControllerRig> {
  const time = options.time ?? new VirtualTime()
  const log = options.log ?? new ReplicatedLogDouble({ id: METADATA_LOG_ID })
  const opening = Controller.open({
    log,
    nodeId: asNodeId(1),
    env: { ...portsOf(time), log: silent },
    staticConfigs: new Map(Object.entries(options.staticConfigs ?? {})),
  })
  await time.settle()
  const controller = await opening
  if (!controller.image.brokers.has('1')) {
    const registered = controller.registerBroker({
      nodeId: asNodeId(1),
      directoryId: '',
      rack: null,
      raft: null,
      http: null,
      listeners: [],
    })
    await time.settle()
    await registered
  }
  return { controller, log, time }
}

/** The clock, timers and host of the virtual time, with random numbers that differ but repeat in every run. */
export function portsOf(time: VirtualTime) {
  let state = 1
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state
  }
  return {
    clock: time.clock,
    timers: time.timers,
    host: time.host,
    random: {
      float: () => next() / 2 ** 32,
      below: (bound: number) => Math.floor((next() / 2 ** 32) * bound),
      bytes: (count: number) => Uint8Array.from({ length: count }, () => next() >>> 24),
    },
  }
}

const nothing = (): void => {}
export const silent: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  child: () => silent,
}
