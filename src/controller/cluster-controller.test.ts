// Commands that are carried to the node that leads the metadata log, and what is said when its answer does not come.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asNodeId } from '../base/brand.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { ClusterController } from './cluster-controller.ts'
import { openController, portsOf } from './testing/controller-double.ts'

const topic = (name: string) => ({
  name,
  numPartitions: 1,
  replicationFactor: 1,
  assignments: [],
  configs: [],
})

async function clusterRig(
  call: (rig: Awaited<ReturnType<typeof openController>>) => Promise<Uint8Array>,
) {
  const rig = await openController()
  const cluster = new ClusterController({
    controller: rig.controller,
    nodeId: asNodeId(1),
    env: portsOf(rig.time),
    link: { call: () => call(rig), onCall: () => {} },
  })
  return { ...rig, cluster }
}

test('a command whose answer is lost is not done again by a node that leads by then', async () => {
  const { controller, cluster, log, time } = await clusterRig((rig) => {
    rig.log.lead()
    return Promise.reject(new Error('node 2 went away'))
  })
  log.loseLeadership({ leader: asNodeId(2) })
  const creating = cluster.createTopics([topic('t')])
  await time.advance(100)
  const [created] = await creating
  assert.equal(created?.name, 't')
  assert.equal(created.errorCode, ErrorCode.REQUEST_TIMED_OUT)
  assert.match(created.errorMessage ?? '', /may still take effect: node 2 went away/)
  assert.equal(controller.image.topics.has('t'), false)
})
