/** Finds out in which product devices are that the cloud has named without it: one by one, or by the products' lists. */

import type { Directory, Sweep } from './directory.ts'
import { inTurns } from '../lib/in-turns.ts'
import { atATime, enoughForList, few, keptAtMost, most, tooMany } from './prepare.ts'

export function createLocate(parts: {
  sweep: Sweep | undefined
  /** How old it may be where a device is: milliseconds. */
  maxAgeMs: number
  peek: Directory['placed']
  one(device: string, user: string): Promise<string | undefined>
  /** The moment after which a write makes what is being read stale. */
  begin(): number
  /** Keeps what was listed. */
  put(product: string, device: string, text: string, asked: { atMs: number; moment: number }): void
}): Directory['locate'] {
  const { sweep, maxAgeMs, peek, one, begin, put: keep } = parts

  return async (devices, products, user) => {
    const among = products === 'any' ? undefined : new Set(products)
    const placed = new Map<string, string>()
    const missing = new Set<string>()
    const put = (device: string, product: string | undefined) => {
      if (product !== undefined && among?.has(product) !== false) placed.set(device, product)
    }
    if (among?.size === 0) return placed
    for (const device of devices) {
      const known = peek(device)
      if (known === undefined) missing.add(device)
      else put(device, known.product)
    }
    if (sweep !== undefined && products !== 'any' && isWorthLists(sweep, products)) {
      await inTurns(products, 2, (product) => readList(sweep, product))
      return placed
    }
    if (missing.size > most) throw tooMany('cloud')
    await inTurns([...missing], atATime, async (device) => put(device, await one(device, user)))
    return placed

    async function readList(by: Sweep, product: string): Promise<void> {
      const moment = begin()
      const { items, atMs } = await by.read({ product, devices: missing, user, maxAgeMs })
      for (const [device, text] of items) {
        put(device, product)
        if (missing.size <= keptAtMost) keep(product, device, text, { atMs, moment })
      }
    }

    function isWorthLists(lists: Sweep, among: readonly string[]): boolean {
      if (missing.size <= few) return false
      const calls = among.reduce((sum, product) => sum + lists.calls(product), 0)
      return missing.size > Math.min(calls, enoughForList)
    }
  }
}
