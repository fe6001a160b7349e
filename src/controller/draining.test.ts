// An operator's intent that a node lead nothing.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asNodeId } from '../base/brand.ts'
import { openController } from './testing/controller-double.ts'

test('draining is an intent that outlives a restart', async () => {
  const rig = await openController()
  assert.equal((await rig.controller.setDraining(asNodeId(9), true)).errorCode, 8)
  assert.equal((await rig.controller.setDraining(asNodeId(1), true)).errorCode, 0)
  const end = rig.log.logEnd
  assert.equal((await rig.controller.setDraining(asNodeId(1), true)).errorCode, 0)
  assert.deepEqual(rig.log.logEnd, end)
  const again = (await openController({ log: rig.log })).controller
  assert.deepEqual([...again.image.draining], [1])
  const heard: boolean[] = []
  again.onChange(({ drainingChanged }) => heard.push(drainingChanged))
  await again.setDraining(asNodeId(1), false)
  assert.deepEqual([...again.image.draining], [])
  assert.deepEqual(heard, [true])
})
