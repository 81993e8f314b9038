/** How long the cloud is left alone after it answered 429: for the caller it refused, and for all where it refuses all. */

import { LRUCache } from 'lru-cache'
import type { Clock } from '../domain/clock.ts'

export type BackOff = {
  refused(user: string | undefined, retryAfterS: number | undefined): void
  /** Whole seconds that a call of this API user has to wait; `undefined`: of the gate's own. */
  of(user: string | undefined): number
}

/** What is not said, and more than is believed. */
const usualS = 1
const longestS = 60
/**
 * Some routes have quotas of their own, which one caller can use up whenever it likes: that is no reason to stop others.
 * Refusals of several callers within this time are.
 */
const togetherMs = 10_000
const severalCallers = 2
const keptUsers = 10_000

export function createBackOff(clock: Pick<Clock, 'monotonic'>): BackOff {
  /** Until when each waits, monotonic milliseconds. */
  const waits = new LRUCache<string, number>({ max: keptUsers })
  const lately = new Map<string | undefined, number>()
  let allWaitMs = 0

  return {
    refused(user, retryAfterS = usualS) {
      const now = clock.monotonic()
      const untilMs = now + Math.min(longestS, Math.max(usualS, retryAfterS)) * 1_000
      for (const [other, atMs] of lately) if (atMs < now - togetherMs) lately.delete(other)
      lately.set(user, now)
      if (user !== undefined) waits.set(user, Math.max(untilMs, waits.get(user) ?? 0))
      const everybody = user === undefined || lately.size >= severalCallers
      if (everybody) allWaitMs = Math.max(allWaitMs, untilMs)
    },
    of(user) {
      const own = user === undefined ? 0 : (waits.get(user) ?? 0)
      return Math.max(0, Math.ceil((Math.max(own, allWaitMs) - clock.monotonic()) / 1_000))
    },
  }
}
