/** Finds the facts about many devices before they are decided: one by one, or by their product's list. */

import type { Resource } from '../domain/access-request.ts'
import { Problem } from '../domain/problem.ts'
import type { Attributes, Prepared, Sweep } from './directory.ts'
import { inTurns } from '../lib/in-turns.ts'
import { breathe } from './lists/timer.ts'

/** Who names the devices: an API user, who may guess, or the cloud itself. */
export type NamedBy = 'user' | 'cloud'

/** So few are asked for one by one without thinking: a page of a list is heavier than any of them. */
export const few = 5
/** More than these are read by their list, whatever it costs: a list is shared, and kept. */
export const enoughForList = 200
/** More than these are no request of one client, but a drain on everybody's quota. */
export const most = 1000
/** Look-ups of one request at a time: others want the connections too. */
export const atATime = 16

/** Of so many at the most what was listed is kept: more would drive out what others need, and the list itself is kept. */
export const keptAtMost = 1000
/** Devices handled before others get their turn. */
const turnItems = 1000

const nothing: Attributes = {}

export function createPrepare(parts: {
  sweep: Sweep | undefined
  peek(resource: Resource, maxAgeMs: number): Attributes | undefined
  one(resource: Resource, namedBy: NamedBy, user: string, maxAgeMs: number): Promise<Attributes>
  /** The moment after which a write makes what is being read stale. */
  begin(): number
  isWritten(product: string, device: string, moment: number): boolean
  listed(product: string, device: string, text: string): Attributes
  /** Keeps what was listed. */
  put(
    product: string,
    device: string,
    text: string,
    asked: { atMs: number; moment: number },
  ): Attributes
}) {
  const { sweep, peek, one, begin, isWritten, listed, put } = parts

  /** @returns a function that throws what look-ups and lists throw, and Problem for too many look-ups */
  return async function prepare(
    resources: readonly Resource[],
    namedBy: NamedBy,
    user: string,
    maxAgeMs: number,
  ): Promise<Prepared> {
    const known = new Map<string, Attributes>()
    const lists = new Map<string, ReadonlyMap<string, string>>()
    const missing = new Map<string, Resource>()
    for (const [at, resource] of resources.entries()) {
      const key = keyOf(resource)
      const found = known.has(key) || missing.has(key) ? undefined : peek(resource, maxAgeMs)
      if (found !== undefined) known.set(key, found)
      else if (!known.has(key)) missing.set(key, resource)
      // oxlint-disable-next-line no-await-in-loop -- a large list must not hold up other requests
      if (at % turnItems === turnItems - 1) await breathe()
    }
    if (sweep !== undefined && missing.size > few) {
      const products = [...byProduct(missing.values())]
      await inTurns(products, 2, ([product, devices]) => readList(sweep, product, devices))
    }
    await oneByOne([...missing.values()])

    return (resource) => {
      const found = known.get(keyOf(resource))
      const { product, device } = resource
      if (found !== undefined || product === undefined || device === undefined) return found
      // Taken apart only when it is looked at: many at a time would fill the memory.
      const text = lists.get(product)?.get(device)
      return text === undefined ? undefined : listed(product, device, text)
    }

    /** What it leaves missing is to be asked for one by one. */
    async function readList(by: Sweep, product: string, devices: ReadonlySet<string>) {
      if (devices.size <= few) return
      if (devices.size <= Math.min(by.calls(product), enoughForList)) return
      const moment = begin()
      const swept = await by.read({ product, devices, user, maxAgeMs }).catch((error: unknown) => {
        if (error instanceof Problem && devices.size <= enoughForList) return undefined
        throw error
      })
      if (swept === undefined) return
      const { items, atMs } = swept
      const keep = devices.size <= keptAtMost
      if (!keep) lists.set(product, items)
      let turn = 0
      for (const device of devices) {
        const key = keyOf({ type: 'device', product, device })
        const text = items.get(device)
        // oxlint-disable-next-line no-await-in-loop -- a large list must not hold up other requests
        if (++turn % turnItems === 0) await breathe()
        if (isWritten(product, device, moment)) continue
        if (text === undefined && namedBy === 'user') continue
        missing.delete(key)
        if (text === undefined) known.set(key, nothing)
        else if (keep) known.set(key, put(product, device, text, { atMs, moment }))
      }
    }

    async function oneByOne(left: readonly Resource[]): Promise<void> {
      if (left.length > most) throw tooMany(namedBy)
      await inTurns(left, atATime, async (resource) => {
        known.set(keyOf(resource), await one(resource, namedBy, user, maxAgeMs))
      })
    }
  }
}

/** A list that a client asks for is not too large because of what is in it. */
export function tooMany(namedBy: NamedBy): Problem {
  if (namedBy === 'cloud') return new Problem('overloaded', { retryAfterS: 10 })
  return new Problem('payload_too_large', { says: 'Too many devices are named at once.' })
}

function byProduct(resources: Iterable<Resource>): Map<string, Set<string>> {
  const devices = new Map<string, Set<string>>()
  for (const { type, product, device } of resources) {
    if (type !== 'device' || product === undefined || device === undefined) continue
    const same = devices.get(product)
    if (same === undefined) devices.set(product, new Set([device]))
    else same.add(device)
  }
  return devices
}

/** A device is looked up in its product, whoever owns that. */
function keyOf({ type, organization = '', product = '', device = '' }: Resource): string {
  return type === 'device' ? `${product}/${device}` : `${type}/${organization}/${product}`
}
