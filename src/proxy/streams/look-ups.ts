/** Facts that events wait for: one batch at a time, so that what comes meanwhile is asked for together. */

import type { Resource } from '../../domain/access-request.ts'
import { Problem } from '../../domain/problem.ts'
import { inTurns } from '../../lib/in-turns.ts'
import type { Directory } from '../../upstream/directory.ts'
import type { Facts } from './audience.ts'

type WantedFacts = {
  resource: Resource
  maxAgeMs: number | undefined
  found: PromiseWithResolvers<Facts>
}
type WantedProduct = {
  device: string
  organization: string | undefined
  found: PromiseWithResolvers<string | undefined>
}

/** On whose behalf lists are read for streams: no API user causes it. No API user can be called so. */
const streamsUser = ':streams'

/** Look-ups tried again by themselves at a time. */
const atATime = 16

export class LookUps {
  readonly #directory: Pick<Directory, 'named' | 'locate' | 'placed' | 'products'>
  readonly #facts = new Batches<WantedFacts>((batch) => this.#findFacts(batch))
  readonly #products = new Batches<WantedProduct>((batch) => this.#findProducts(batch))

  constructor(directory: Pick<Directory, 'named' | 'locate' | 'placed' | 'products'>) {
    this.#directory = directory
  }

  /** @throws Problem what the directory throws */
  facts(resource: Resource, maxAgeMs: number | undefined): Promise<Facts> {
    const found = Promise.withResolvers<Facts>()
    this.#facts.add({ resource, maxAgeMs, found })
    return found.promise
  }

  /** What is under way takes long: what came meanwhile is asked for beside it. */
  overtake(): void {
    this.#facts.overtake()
    this.#products.overtake()
  }

  /**
   * The product of the organization that a device is in; `undefined`: in none of them.
   * @param organization whose products may be meant; `undefined`: anybody's
   * @throws Problem what the directory throws
   */
  product(device: string, organization: string | undefined): Promise<string | undefined> {
    const found = Promise.withResolvers<string | undefined>()
    this.#products.add({ device, organization, found })
    return found.promise
  }

  async #findFacts(batch: readonly WantedFacts[]): Promise<void> {
    const ages = batch.flatMap(({ maxAgeMs }) => maxAgeMs ?? [])
    const tightest = ages.length === 0 ? undefined : Math.min(...ages)
    const resources = batch.map(({ resource }) => resource)
    const known = await this.#directory.named(resources, streamsUser, tightest)
    for (const { resource, found } of batch) {
      const facts = known(resource)
      if (facts === undefined) found.reject(new Problem('attribute_unavailable'))
      else found.resolve(facts)
    }
  }

  async #findProducts(batch: readonly WantedProduct[]): Promise<void> {
    const byOrganization = Map.groupBy(batch, ({ organization }) => organization)
    for (const [organization, wanted] of byOrganization) {
      const products =
        organization === undefined
          ? 'any'
          : // oxlint-disable-next-line no-await-in-loop -- a stream is of one organization
            await this.#directory.products(organization, streamsUser)
      const devices = wanted.map(({ device }) => device)
      // oxlint-disable-next-line no-await-in-loop -- likewise
      const placed = await this.#directory.locate(devices, products, streamsUser)
      for (const { device, found } of wanted) found.resolve(placed.get(device))
    }
  }
}

/** Batches under way at a time, however slow they are. */
const mostBatches = 8

type Settled = { found: { reject(error: unknown): void } }

/** What is wanted while a batch is under way makes up the next one. */
class Batches<T extends Settled> {
  readonly #settle: (batch: readonly T[]) => Promise<void>
  #next: T[] = []
  #soon = false
  #underWay = 0

  constructor(settle: (batch: readonly T[]) => Promise<void>) {
    this.#settle = settle
  }

  add(wanted: T): void {
    this.#next.push(wanted)
    if (this.#underWay === 0) this.#begin()
  }

  overtake(): void {
    if (this.#next.length > 0 && this.#underWay < mostBatches) this.#begin()
  }

  #begin(): void {
    if (this.#soon) return
    this.#soon = true
    setImmediate(() => void this.#run())
  }

  async #run(): Promise<void> {
    this.#soon = false
    this.#underWay += 1
    while (this.#next.length > 0) {
      const batch = this.#next
      this.#next = []
      // oxlint-disable-next-line no-await-in-loop -- one batch at a time is the point
      await this.#settleAll(batch)
    }
    this.#underWay -= 1
  }

  async #settleAll(batch: readonly T[]): Promise<void> {
    try {
      await this.#settle(batch)
    } catch (error) {
      if (batch.length === 1) for (const { found } of batch) found.reject(error)
      // One that cannot be looked up takes none of the others with it.
      else await inTurns(batch, atATime, (wanted) => this.#settleAll([wanted]))
    }
  }
}
