/** The meter on rate-limiter-flexible: a window for each limit of each API user, from its first call on. */

import RateLimiterMemory from 'rate-limiter-flexible/lib/RateLimiterMemory.js'
import type { Clock } from '../domain/clock.ts'
import type { Charge } from '../domain/decision.ts'
import type { KeptCount } from '../store/count-store.ts'
import type { Meter } from './meter.ts'

export type MeterOptions = {
  clock: Clock
  /** Counts of before that go on, where their window has not ended. */
  kept?: readonly KeptCount[]
  /** Told how a limit is counted, each time that changes. */
  onCount?: (charge: Charge, calls: number, endsAtMs: number) => void
}

export function createMeter({ clock, kept = [], onCount }: MeterOptions): Meter {
  // What a key may hold differs by limit and by share, so the counts are compared here and not by the library.
  const counts = new RateLimiterMemory({ points: Number.MAX_SAFE_INTEGER, duration: 1 })
  /** Limits without room, and when their window ends (monotonic milliseconds). */
  const spent = new Map<string, number>()
  let replicas = 1
  for (const { key, calls, endsAtMs } of kept) {
    const leftS = Math.min((endsAtMs - clock.now()) / 1_000, longestS)
    // In memory: it is set when this returns.
    if (leftS > 0) void counts.set(key, calls, leftS)
  }

  function roomOf({ limit }: Charge): number {
    return Math.max(1, Math.floor(limit.calls / replicas))
  }

  async function takeOne(charge: Charge): Promise<boolean> {
    const { key, limit } = charge
    const { consumedPoints, msBeforeNext } = await counts.penalty(key, 1, window(limit.perS))
    const taken = consumedPoints <= roomOf(charge)
    if (taken) onCount?.(charge, consumedPoints, clock.now() + msBeforeNext)
    else await giveBack(charge)
    return taken
  }

  /** Full is what still is when a place was given back: many that get none may have counted at once. */
  async function giveBack(charge: Charge): Promise<void> {
    const { key, limit } = charge
    const { consumedPoints, msBeforeNext } = await counts.reward(key, 1, window(limit.perS))
    onCount?.(charge, consumedPoints, clock.now() + msBeforeNext)
    if (consumedPoints < roomOf(charge)) spent.delete(key)
    else note(key, Math.max(1, msBeforeNext))
  }

  function note(key: string, waitMs: number): void {
    const now = clock.monotonic()
    for (const [other, endsMs] of spent) if (endsMs <= now) spent.delete(other)
    spent.set(key, now + waitMs)
  }

  return {
    wait({ key }) {
      const endsMs = spent.get(key)
      if (endsMs === undefined) return 0
      const leftMs = endsMs - clock.monotonic()
      if (leftMs > 0) return leftMs
      spent.delete(key)
      return 0
    },
    async take(charges) {
      const taken = await Promise.all(charges.map(takeOne))
      const first = taken.indexOf(false)
      if (first === -1) return undefined
      await Promise.all(charges.flatMap((charge, i) => (taken[i] === true ? giveBack(charge) : [])))
      return charges[first]
    },
    share(live) {
      if (live === replicas) return
      replicas = Math.max(1, live)
      // A smaller crowd makes room at once; a larger one is noticed at the next call.
      spent.clear()
    },
  }
}

/**
 * What a timer of Node can hold. A longer window, of a grant that was issued before such were refused, is cut to it: the
 * library's timer would run off at once, and nothing would be counted.
 */
const longestS = 2_147_483

function window(perS: number): { customDuration: number } {
  return { customDuration: Math.min(perS, longestS) }
}
