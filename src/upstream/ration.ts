/** How many look-ups that lead nowhere one API user may cause: a token bucket each. */

import { LRUCache } from 'lru-cache'
import type { Clock } from '../domain/clock.ts'
import { Problem } from '../domain/problem.ts'
import { atMost } from '../lib/at-most.ts'

export type Looked<T> = { found: T | undefined; cost: 0 | 1 }

export type Ration = {
  /**
   * Runs the look-up against the user's ration. Look-ups under way count as if they cost until they are back, so
   * that many at once cannot overdraw; one that finds no room waits for another's end.
   * @throws Problem `rationed`, with the seconds until the next one
   */
  spend<T>(user: string, look: () => Promise<Looked<T>>): Promise<T | undefined>
  /** Takes one afterwards; a ration is never below empty. */
  charge(user: string): void
}

type Bucket = { left: number; atMs: number; underWay: number; waiting: (() => void)[] }

export function createRation(options: {
  perMinute: number
  clock: Clock
  maxUsers: number
}): Ration {
  const { perMinute, clock, maxUsers } = options
  const buckets = new LRUCache<string, Bucket>(atMost(maxUsers))

  function bucketOf(user: string): Bucket {
    const now = clock.monotonic()
    const bucket = buckets.get(user) ?? { left: perMinute, atMs: now, underWay: 0, waiting: [] }
    bucket.left = Math.min(perMinute, bucket.left + ((now - bucket.atMs) * perMinute) / 60_000)
    bucket.atMs = now
    buckets.set(user, bucket)
    return bucket
  }

  return {
    async spend(user, look) {
      let bucket = bucketOf(user)
      while (bucket.left - bucket.underWay < 1) {
        if (bucket.underWay === 0) {
          const seconds = Math.ceil(((1 - bucket.left) * 60) / perMinute)
          throw new Problem('rationed', { retryAfterS: Math.max(1, seconds) })
        }
        const { waiting } = bucket
        // oxlint-disable-next-line no-await-in-loop -- each round waits for one look-up's end
        await new Promise<void>((resolve) => {
          waiting.push(resolve)
        })
        bucket = bucketOf(user)
      }
      bucket.underWay += 1
      try {
        const { found, cost } = await look()
        bucket.left -= cost
        return found
      } finally {
        bucket.underWay -= 1
        for (const go of bucket.waiting.splice(0)) go()
      }
    },
    charge(user) {
      const bucket = bucketOf(user)
      bucket.left = Math.max(0, bucket.left - 1)
    },
  }
}
