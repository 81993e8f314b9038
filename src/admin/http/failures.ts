/** Counts failed sign-ons by address (of IPv6 by /64), in bounded memory: whoever fails too often is told to wait. */

import type { Clock } from '../../domain/clock.ts'
import { addressBlock } from '../../lib/address-block.ts'

export type Failures = {
  /** One more; whole seconds to wait, once an address has had too many within a minute. */
  add(address: string): number | undefined
}

const windowMs = 60_000
const maxAddresses = 10_000

/**
 * Only failing answers change: a valid token is never kept out by what others behind the same address do, and tokens
 * are too long to be guessed at any rate.
 */
export function createFailures(clock: Pick<Clock, 'monotonic'>, perMinute: number): Failures {
  const seen = new Map<string, { count: number; sinceMs: number }>()
  return {
    add(address) {
      const nowMs = clock.monotonic()
      const block = addressBlock(address)
      const known = seen.get(block)
      if (known === undefined || nowMs - known.sinceMs >= windowMs) {
        seen.delete(block)
        const [oldest] = seen.size >= maxAddresses ? seen.keys() : []
        if (oldest !== undefined) seen.delete(oldest)
        seen.set(block, { count: 1, sinceMs: nowMs })
        return undefined
      }
      known.count += 1
      if (known.count <= perMinute) return undefined
      return Math.max(1, Math.ceil((known.sinceMs + windowMs - nowMs) / 1000))
    },
  }
}
