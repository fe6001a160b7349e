// The real ports pass the contract.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clockContract } from '../contract/clock-contract.ts'
import { diskContract } from '../contract/disk-contract.ts'
import { networkContract } from '../contract/network-contract.ts'
import { nodeEnv } from './node-env.ts'

diskContract('node disk', async (body) => {
  const root = await mkdtemp(join(tmpdir(), 'chronik-disk-'))
  try {
    await body({ disk: nodeEnv().disk, root })
  } finally {
    await rm(root, { recursive: true })
  }
})

clockContract('node clock', (body) => body(nodeEnv()))

networkContract('node network', (body) =>
  body({ server: nodeEnv(), client: nodeEnv(), host: '127.0.0.1' }),
)
