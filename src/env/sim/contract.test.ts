// The simulated ports pass the contract, under many seeds.

import { clockContract } from '../contract/clock-contract.ts'
import { diskContract } from '../contract/disk-contract.ts'
import { networkContract } from '../contract/network-contract.ts'
import { Simulation } from './simulation.ts'

const SEEDS = 10

async function eachSeed(body: (simulation: Simulation) => Promise<void>): Promise<void> {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const simulation = new Simulation(seed)
    await simulation.settle(body(simulation)).catch((error: unknown) => {
      throw new Error(`seed ${seed}`, { cause: error })
    })
  }
}

diskContract('simulated disk', (body) =>
  eachSeed(async (simulation) => {
    const { disk } = simulation.host('a').boot()
    await disk.makeDirectory('/data')
    await body({ disk, root: '/data' })
  }),
)

clockContract('simulated clock', (body) =>
  eachSeed((simulation) => body(simulation.host('a').boot())),
)

networkContract('simulated network', (body) =>
  eachSeed((simulation) => {
    const server = simulation.host('server').boot()
    const client = simulation.host('client').boot()
    return body({ server, client, host: 'server' })
  }),
)
