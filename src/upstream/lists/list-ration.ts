/** How many pages of lists may be read on one API user's behalf: a token bucket each. */

import { LRUCache } from 'lru-cache'
import type { Clock } from '../../domain/clock.ts'
import { Problem } from '../../domain/problem.ts'
import { atMost } from '../../lib/at-most.ts'

export type ListRation = {
  /**
   * The first of the users who has as much pays. A list that is larger than any ration is paid by a full one, and
   * the debt is waited for. @throws Problem `rationed`, with the seconds until one of them has as much
   */
  charge(users: Iterable<string>, pages: number): void
  /** For what cannot be stopped half-way: whoever has most pays, if need be on debt. */
  overdraw(users: Iterable<string>, pages: number): void
}

/** A list is read seldom and then whole: so many minutes' pages at once. */
const savedMinutes = 5

export function createListRation(options: {
  pagesPerMinute: number
  clock: Clock
  maxUsers: number
}): ListRation {
  const { pagesPerMinute, clock, maxUsers } = options
  const most = pagesPerMinute * savedMinutes
  const buckets = new LRUCache<string, { left: number; atMs: number }>(atMost(maxUsers))

  function leftOf(user: string): number {
    const bucket = buckets.peek(user)
    if (bucket === undefined) return most
    const refill = ((clock.monotonic() - bucket.atMs) * pagesPerMinute) / 60_000
    return Math.min(most, bucket.left + refill)
  }

  function pay(user: string, pages: number): void {
    buckets.set(user, { left: leftOf(user) - pages, atMs: clock.monotonic() })
  }

  /** The first who has enough, or else the one who has most. */
  function payer(users: Iterable<string>, enough: number): { user: string; left: number } {
    let richest: { user: string; left: number } | undefined
    for (const user of users) {
      const left = leftOf(user)
      if (left >= enough) return { user, left }
      if (richest === undefined || left > richest.left) richest = { user, left }
    }
    if (richest === undefined) throw new Problem('internal', { cause: 'pages read for nobody' })
    return richest
  }

  return {
    charge(users, pages) {
      // The list's first page is paid already when its length is known.
      const enough = Math.min(pages, most - 1)
      const { user, left } = payer(users, enough)
      if (left < enough) {
        const missing = Math.min(enough + 1, most) - left
        const retryAfterS = Math.max(1, Math.ceil((missing * 60) / pagesPerMinute))
        throw new Problem('rationed', { says: 'Too many lists; try again later.', retryAfterS })
      }
      pay(user, pages)
    },
    overdraw(users, pages) {
      pay(payer(users, pages).user, pages)
    },
  }
}
