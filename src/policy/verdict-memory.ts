/** Remembers verdicts by the values that they rest on: the items of a list are mostly alike in what rules look at. */

import type { Resource } from '../domain/access-request.ts'
import type { Item, ItemVerdict } from './policy-engine.ts'

/** Steps of all keys together: then nothing new is learned. */
const mostSpots = 512
const longestList = 16
const longestText = 128

const LIST: unique symbol = Symbol('list')

/**
 * Where the verdict for one key is kept: a key is walked step by step, and a step is known by the value itself, so
 * that none is mistaken for one of another type.
 */
export class Spot {
  verdict: ItemVerdict | undefined
  readonly #next = new Map<unknown, Spot>()

  next(step: unknown): Spot | undefined {
    return this.#next.get(step)
  }

  add(step: unknown): Spot {
    const spot = new Spot()
    this.#next.set(step, spot)
    return spot
  }
}

/** For verdicts that rest on an item's place, the source of its event and these attributes, and on nothing else of it. */
export class VerdictMemory {
  readonly #attributes: readonly string[]
  #root = new Spot()
  #spots = 0
  /** Items that follow each other are mostly of one place. */
  #last: { resource: Resource; source: unknown; spot: Spot } | undefined

  constructor(attributes: Iterable<string>) {
    this.#attributes = [...attributes]
  }

  clear(): void {
    this.#root = new Spot()
    this.#spots = 0
    this.#last = undefined
  }

  /** The same one for equal values; `undefined`: its verdict cannot be remembered. */
  spotOf(item: Item): Spot | undefined {
    const { facts } = item
    let spot = this.#placeOf(item)
    // Nothing of it is known: the key ends here, and no other of as many attributes does.
    if (facts === undefined) return spot
    for (const name of this.#attributes) {
      if (spot === undefined) return undefined
      const value = Object.hasOwn(facts, name) ? facts[name] : undefined
      spot = Array.isArray(value) ? this.#stepList(spot, value) : this.#stepValue(spot, value)
    }
    return spot
  }

  #placeOf({ resource, event }: Item): Spot | undefined {
    const { type, organization, product } = resource
    const source = event?.source
    const last = this.#last
    if (
      last !== undefined &&
      last.resource.product === product &&
      last.resource.organization === organization &&
      last.resource.type === type &&
      last.source === source
    ) {
      return last.spot
    }
    let spot: Spot | undefined = this.#root
    for (const step of [type, organization, product, source]) spot = this.#step(spot, step)
    if (spot !== undefined) this.#last = { resource, source, spot }
    return spot
  }

  /** Its length goes first, so that no list is the beginning of another's key. */
  #stepList(from: Spot, values: readonly unknown[]): Spot | undefined {
    if (values.length > longestList) return undefined
    let spot = this.#step(this.#step(from, LIST), values.length)
    for (let at = 0; at < values.length; at += 1) {
      const value = values[at]
      // An element that is not there and one that is `undefined` are not the same to every check.
      if (spot === undefined || value === undefined) return undefined
      spot = this.#stepValue(spot, value)
    }
    return spot
  }

  #stepValue(from: Spot, value: unknown): Spot | undefined {
    switch (typeof value) {
      case 'string':
        return value.length > longestText ? undefined : this.#step(from, value)
      case 'number':
      case 'boolean':
      case 'undefined':
        return this.#step(from, value)
      default:
        return value === null ? this.#step(from, value) : undefined
    }
  }

  #step(from: Spot | undefined, step: unknown): Spot | undefined {
    const known = from?.next(step)
    if (known !== undefined || from === undefined || this.#spots >= mostSpots) return known
    this.#spots += 1
    return from.add(step)
  }
}
