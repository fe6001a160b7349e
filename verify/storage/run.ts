// One seed of the fuzz: lives of a store, one after the other, on one simulated disk, each ended by a kill, a power cut
// or a close, at any step of its disk operations; after each recovery the store must be what the model allows.

import { DiskError } from '../../src/env/disk.ts'
import type { SimHost } from '../../src/env/sim/sim-host.ts'
import { Simulation } from '../../src/env/sim/simulation.ts'
import { openStore } from '../../src/storage/open-store.ts'
import { StoreError, type Store, type StoredLog } from '../../src/storage/store.ts'
import {
  checkRecovered,
  checkSegments,
  checkTimestamps,
  expect,
  FuzzFailure,
  readAll,
} from './check.ts'
import { Fuse } from './fuse.ts'
import { harm, healLog } from './heal.ts'
import { StoreModel, type LogModel } from './model.ts'
import * as operations from './operations.ts'
import type { Life, Operation } from './operations.ts'
import { makePlan, type CrashAt, type Feature, type FuzzOptions, type Plan } from './plan.ts'

const DIRECTORY = '/data'
/** Virtual time in which anything that was asked for must have happened. */
const PATIENCE_MS = 120_000
const NOTES_KEPT = 120

export interface FuzzResult {
  readonly failure: unknown
  /** What was done last, oldest first. */
  readonly notes: readonly string[]
  readonly counts: ReadonlyMap<string, number>
  /** Disk steps of each life. */
  readonly steps: readonly number[]
  readonly traceHash: string
  readonly events: number
}

export async function fuzzSeed(options: FuzzOptions): Promise<FuzzResult> {
  const run = new FuzzRun(options)
  let failure: unknown
  try {
    await run.run()
  } catch (error) {
    failure = error
  }
  return run.result(failure)
}

/** The process ended while something was awaited. */
class Crashed extends Error {
  override readonly name = 'Crashed'
}

class FuzzRun {
  readonly #simulation: Simulation
  readonly #host: SimHost
  readonly #plan: Plan
  readonly #model = new StoreModel()
  readonly #notes: string[] = []
  readonly #counts = new Map<string, number>()
  #directoryId: string | undefined
  #generation = 0
  #turn = 0
  #failure: { readonly error: unknown } | undefined
  /** Faults that may end the process by `fatal` are on. */
  #mayDie = false
  #fuse: Fuse | undefined
  readonly #crashAt: CrashAt | undefined
  /** Of each life. */
  readonly #steps: number[] = []

  constructor(options: FuzzOptions) {
    const log = (line: string): void => this.#note(line)
    this.#simulation = new Simulation(options.seed, { log })
    this.#plan = makePlan(this.#simulation.chance, options)
    this.#host = this.#simulation.host('node')
    this.#crashAt = options.crashAt
    this.#host.onDiskStep = (operation) => this.#step(operation)
  }

  result(failure: unknown): FuzzResult {
    const { traceHash, events } = this.#simulation
    const [notes, counts, steps] = [this.#notes, this.#counts, this.#steps]
    return { failure, notes, counts, steps, traceHash, events }
  }

  async run(): Promise<void> {
    for (let round = 0; round < this.#plan.rounds; round++) {
      this.#note(`--- life ${round}`)
      this.#steps.push(0)
      try {
        await this.#live()
      } catch (error) {
        if (!(error instanceof Crashed)) throw error
      }
      this.#checkFatals()
      this.#die()
    }
    this.#note('--- last recovery')
    this.#steps.push(0)
    const store = await this.#recover()
    if (this.#on('damage')) {
      await this.#damage(store)
      return
    }
    await this.#pass(200)
    await this.#checkFolders(store)
    await this.#await(store.close())
    this.#host.kill()
  }

  /** Of dropped logs nothing is left in the end. */
  async #checkFolders(store: Store): Promise<void> {
    const live = [...store.logs()].map((log) => `topic-${log.id}.${log.incarnation}`)
    const { files } = this.#host
    const folders =
      files.find(`${DIRECTORY}/logs`) === undefined ? [] : files.list(`${DIRECTORY}/logs`)
    const left = folders.map((entry) => entry.name).filter((name) => !live.includes(name))
    expect(left.length === 0, `folders of dropped logs are left: ${left.join()}`)
  }

  /**
   * A bit flips, or a segment is lost, while the store is stopped. Whatever it hits, what is served is right or is refused
   * as corrupt, no log end moves back, and every log can be made whole again (law R5), however often that is interrupted.
   * The last group of the journal is not told from a torn one, so what it holds is nothing that matters.
   */
  async #damage(store: Store): Promise<void> {
    const life = this.#life(store)
    for (const log of store.logs()) operations.append(false)(life, log, this.#liveModel(log))
    const flushed = this.#model.flushing()
    await this.#await(store.flush())
    for (const log of store.logs()) operations.saveHardState(life, log, this.#liveModel(log))
    await this.#await(store.flush())
    flushed()
    this.#host.kill()
    const { chance } = this.#simulation
    for (let times = chance.between(1, 3); times > 0; times--) {
      this.#note(await harm(this.#host, chance, this.#settle))
    }
    this.#count('damaged')
    for (let attempt = 0; ; attempt++) {
      try {
        if (!(await this.#heal(attempt < 5))) return
        break
      } catch (error) {
        if (!(error instanceof Crashed)) throw error
        this.#count('repairs crashed')
      }
    }
    this.#die()
    await this.#recover()
    this.#host.kill()
  }

  /** False when the damage hit what nothing can be started without. */
  async #heal(interrupted: boolean): Promise<boolean> {
    const { chance } = this.#simulation
    let store: Store
    try {
      const env = this.#host.boot()
      store = await this.#await(openStore(env, { directory: DIRECTORY, ...this.#plan.store }))
    } catch (error) {
      if (error instanceof Crashed) throw error
      expect(error instanceof StoreError && error.code === 'corrupt', describeFailure(error))
      this.#note(error.message)
      this.#count('damage refused')
      return false
    }
    if (interrupted && chance.chance(0.6)) this.#fuse = new Fuse(chance, chance.pick([5, 20, 80]))
    for (const log of store.logs()) {
      const how = { settle: this.#settle, chance }
      const healed = await healLog(log, this.#liveModel(log).image, how)
      if (healed > 0) this.#counts.set('healed', (this.#counts.get('healed') ?? 0) + healed)
    }
    return true
  }

  readonly #settle = <T>(value: T | Promise<T>): Promise<T> => this.#await(Promise.resolve(value))

  /** A step of a disk operation was done; the next may not come. */
  #step(operation: string): void {
    const life = this.#steps.length - 1
    const steps = (this.#steps[life] ?? 0) + 1
    this.#steps[life] = steps
    if (this.#crashAt === undefined) {
      if (this.#fuse?.burn(operation) === true) this.#crash('in mid-work')
    } else if (life === this.#crashAt.life && steps === this.#crashAt.step) {
      this.#note(`${this.#crashAt.how} at step ${steps}`)
      if (this.#crashAt.how === 'cut') this.#host.powerCut()
      else this.#host.kill()
      if (this.#crashAt.how === 'kill, then cut') this.#host.powerCut()
    }
  }

  async #live(): Promise<void> {
    const chance = this.#simulation.chance
    const randomly = this.#crashAt === undefined && this.#on('recovery-crash')
    for (let crashes = 0; randomly && crashes < 4 && chance.chance(0.4); crashes++) {
      await this.#crashInRecovery()
    }
    const store = await this.#recover()
    const life = this.#life(store)
    for (const log of store.logs()) operations.listen(life, log, this.#liveModel(log))
    if (chance.chance(0.75)) this.#fuse = new Fuse(chance, chance.pick([10, 100, 1_000]))
    await this.#work(life)
    await this.#calmDown(life)
    if (this.#on('close') && chance.chance(0.4)) {
      const flushed = this.#model.flushing()
      await this.#await(store.close())
      flushed()
      this.#note('closed')
    }
  }

  async #crashInRecovery(): Promise<void> {
    const { chance } = this.#simulation
    this.#fuse = new Fuse(chance, chance.pick([5, 20, 80]))
    const full = this.#on('full-disk') && chance.chance(0.2)
    const { files } = this.#host
    if (full) files.capacityBytes = files.usedBytes + chance.pick([0, 1_000, 10_000])
    const opening = openStore(this.#host.boot(), { directory: DIRECTORY, ...this.#plan.store })
    try {
      await this.#await(opening)
    } catch (error) {
      if (full && error instanceof StoreError && error.code === 'storage-full') {
        this.#count('recoveries without space')
      } else if (error instanceof Crashed) {
        this.#count('recoveries crashed')
      } else {
        throw error
      }
    }
    // Where it came through before the crash, nothing was reported yet.
    this.#fuse = undefined
    this.#checkFatals()
    this.#die()
  }

  async #recover(): Promise<Store> {
    this.#fuse = undefined
    const { chance } = this.#simulation
    const env = this.#host.boot()
    const store = await this.#await(openStore(env, { directory: DIRECTORY, ...this.#plan.store }))
    this.#checkIdentity(store)
    const settle = this.#settle
    await checkRecovered(this.#model, store, settle, chance)
    for (const log of store.logs()) {
      await checkTimestamps(this.#liveModel(log).image, log, settle, chance)
    }
    this.#count('recoveries')
    this.#note(
      `recovered ${[...store.logs()].map((log) => `${log.id}:${log.end.offset}`).join(' ')}`,
    )
    return store
  }

  #checkIdentity(store: Store): void {
    this.#directoryId ??= store.directoryId
    expect(store.directoryId === this.#directoryId, 'the directory has another identity')
    expect(
      store.generation > this.#generation,
      `generation ${store.generation} after ${this.#generation}`,
    )
    this.#generation = store.generation
  }

  async #work(life: Life): Promise<void> {
    const { chance } = life
    for (let done = 0; done < this.#plan.operations;) {
      this.#turn++
      for (let burst = chance.between(1, 5); burst > 0; burst--) {
        this.#operate(life)
        done++
      }
      await this.#pass(chance.chance(0.1) ? chance.float() * 60 : chance.float() * 0.6)
      if (chance.chance(0.08)) await this.#flush(life)
      if (chance.chance(0.03)) this.#startFault()
    }
  }

  #operate(life: Life): void {
    const { chance } = life
    const id = `log-${chance.below(this.#plan.logs)}`
    const log = [...life.store.logs()].find((one) => one.id === id)
    if (log === undefined) {
      operations.create(life, id)
      return
    }
    this.#pickOperation(life)(life, log, this.#liveModel(log))
  }

  #pickOperation(life: Life): Operation {
    const usable = operations.WEIGHTED.filter(
      ([, , feature]) => feature === undefined || this.#on(feature),
    )
    let draw = life.chance.float() * usable.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, operation] of usable) {
      draw -= weight
      if (draw < 0) return operation
    }
    return operations.append(false)
  }

  async #flush(life: Life): Promise<void> {
    this.#endFullDisk()
    const flushed = this.#model.flushing()
    const flushing = life.store.flush()
    if (life.chance.chance(0.5)) {
      life.watch(flushing.then(() => this.#flushed(flushed)))
      return
    }
    await this.#await(flushing)
    this.#flushed(flushed)
  }

  #flushed(flushed: () => void): void {
    if (!this.#host.alive) return
    flushed()
    this.#note('flushed')
    this.#count('flush')
  }

  #startFault(): void {
    const { chance } = this.#simulation
    const kind = chance.pick(['full-disk', 'sync-error', 'stall'] as const)
    if (!this.#on(kind)) return
    this.#note(`fault: ${kind}`)
    this.#count(kind)
    if (kind === 'stall') {
      this.#host.stallDisk(chance.float() * 100)
    } else if (kind === 'full-disk') {
      const { files } = this.#host
      files.capacityBytes = files.usedBytes + chance.pick([0, 1_000, 10_000])
    } else {
      this.#mayDie = true
      this.#host.faults.add({
        operation: chance.pick(['sync', 'sync', 'write']),
        code: 'EIO',
        probability: chance.pick([0.05, 0.3]),
      })
    }
  }

  #endFullDisk(): void {
    this.#host.files.capacityBytes = Number.MAX_SAFE_INTEGER
  }

  /** Space returns; then the store must take appends again, make all of it durable, and still agree with the model. */
  async #calmDown(life: Life): Promise<void> {
    const { store } = life
    const fullBefore = store.full
    this.#endFullDisk()
    await this.#until(() => !store.full, 'the store stays full with space on the disk')
    if (fullBefore) this.#count('full and back')
    await this.#flush(life)
    await this.#pass(life.chance.float() * 100)
    const settle = this.#settle
    for (const log of store.logs()) {
      const { image } = this.#liveModel(log)
      const bytes = await readAll(log, settle, life.chance)
      const expected = Buffer.concat(image.batches.map((batch) => batch.bytes))
      expect(expected.equals(bytes), `log ${log.id} differs from what was appended`)
      checkSegments(image, log)
      await checkTimestamps(image, log, settle, life.chance)
    }
  }

  /**
   * Ends the life, if nothing did yet. After a failed sync the page cache may show what will never reach the disk: a
   * restart must not rely on it, whether a power cut comes at once or later.
   */
  #die(): void {
    const { chance } = this.#simulation
    this.#fuse = undefined
    const diedOfFault = this.#host.fatals.length > 0
    if (this.#host.alive) this.#crash('at the end')
    const mustCut = diedOfFault && !this.#on('restart-after-sync-error')
    if (mustCut || (this.#on('power') && chance.chance(0.3))) {
      this.#note('power cut after death')
      this.#host.powerCut()
    }
    this.#host.fatals.length = 0
    this.#host.faults.clear()
    this.#mayDie = false
    this.#endFullDisk()
  }

  #crash(when: string): void {
    const cut = this.#on('power') && this.#simulation.chance.chance(0.6)
    this.#note(`${cut ? 'power cut' : 'kill'} ${when}`)
    this.#count(cut ? 'power cuts' : 'kills')
    if (cut) this.#host.powerCut()
    else this.#host.kill()
  }

  #checkFatals(): void {
    if (this.#failure !== undefined) throw this.#failure.error
    const [first] = this.#host.fatals
    expect(first === undefined || this.#mayDie, `the store ended the process: ${first}`)
  }

  #liveModel(log: StoredLog): LogModel {
    const model = this.#model.live(log.id)
    expect(model !== undefined, `log ${log.id} is not in the model`)
    return model
  }

  #life(store: Store): Life {
    const simulation = this.#simulation
    const report = (error: unknown): void => {
      this.#failure ??= { error }
    }
    return {
      store,
      model: this.#model,
      chance: simulation.chance,
      plan: this.#plan,
      nowMs: () => 1_767_225_600_000 + Math.floor(simulation.nowMs),
      turn: () => this.#turn,
      alive: () => this.#host.alive,
      note: (text) => this.#note(text),
      report,
      watch: (promise) => void promise.catch(report),
      counts: this.#counts,
    }
  }

  async #pass(ms: number): Promise<void> {
    const untilMs = this.#simulation.nowMs + ms
    await this.#simulation.run({ untilMs, until: () => this.#over })
    this.#throwIfOver()
  }

  async #until(done: () => boolean, otherwise: string): Promise<void> {
    const untilMs = this.#simulation.nowMs + PATIENCE_MS
    const eventsMax = 2_000_000
    await this.#simulation.run({ untilMs, eventsMax, until: () => done() || this.#over })
    this.#throwIfOver()
    expect(done(), otherwise)
  }

  /** An injected fault may also come out as an error of the call, of `close` for one. */
  #forgive(error: unknown): never {
    if (!this.#mayDie || !(error instanceof DiskError) || error.code !== 'EIO') throw error
    this.#note(`died of ${error.message}`)
    this.#host.fatals.push(error.message)
    throw new Crashed('a fault')
  }

  async #await<T>(promise: Promise<T>): Promise<T> {
    let settled = false
    const mark = (): void => {
      settled = true
    }
    promise.then(mark, mark)
    await this.#until(() => settled, 'what was asked for never happened')
    return promise.catch((error: unknown) => this.#forgive(error))
  }

  get #over(): boolean {
    return !this.#host.alive || this.#failure !== undefined
  }

  #throwIfOver(): void {
    this.#checkFatals()
    if (!this.#host.alive) throw new Crashed('the process ended')
  }

  #on(feature: Feature): boolean {
    return this.#plan.features.has(feature)
  }

  #note(text: string): void {
    this.#notes.push(`${this.#simulation.nowMs.toFixed(3)} ${text}`)
    if (this.#notes.length > NOTES_KEPT) this.#notes.shift()
  }

  #count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1)
  }
}

export function describeFailure(failure: unknown): string {
  if (failure instanceof FuzzFailure) return failure.message
  return failure instanceof Error ? (failure.stack ?? failure.message) : String(failure)
}
