/** How long the cloud is left alone after it answered 429: for the caller it refused, and a moment for all where it refuses several. */

import { LRUCache } from 'lru-cache'
import type { Clock } from '../domain/clock.ts'
import { atMost } from '../lib/at-most.ts'

export type BackOff = {
  refused(user: string | undefined, retryAfterS: number | undefined): void
  /** Whole seconds that a call of this API user has to wait; `undefined`: of the gate's own. */
  of(user: string | undefined): number
  /** Whole seconds that every API user has to wait. */
  ofAll(): number
}

/** What is not said, and more than is believed. */
const usualS = 1
const longestS = 60
/** What one has to wait because others were refused: two API users that work together can make it last. */
const sharedS = 5
/**
 * Some routes have quotas of their own, which one caller can use up whenever it likes: that is no reason to stop others.
 * Refusals of several callers within this time are.
 */
const togetherMs = 10_000
const severalCallers = 2
const keptUsers = 10_000

export function createBackOff(clock: Pick<Clock, 'monotonic'>): BackOff {
  /** Until when each waits, monotonic milliseconds. */
  const waits = new LRUCache<string, number>(atMost(keptUsers))
  const lately = new Map<string | undefined, number>()
  let ownUntilMs = 0
  let allUntilMs = 0

  const secondsTo = (untilMs: number) =>
    Math.max(0, Math.ceil((untilMs - clock.monotonic()) / 1_000))

  return {
    refused(user, retryAfterS = usualS) {
      const now = clock.monotonic()
      const waitS = Math.min(longestS, Math.max(usualS, retryAfterS))
      const untilMs = now + waitS * 1_000
      for (const [other, atMs] of lately) if (atMs < now - togetherMs) lately.delete(other)
      lately.set(user, now)
      if (user === undefined) ownUntilMs = Math.max(ownUntilMs, untilMs)
      else waits.set(user, Math.max(untilMs, waits.get(user) ?? 0))
      if (user === undefined || lately.size >= severalCallers) {
        allUntilMs = Math.max(allUntilMs, now + Math.min(sharedS, waitS) * 1_000)
      }
    },
    // The gate's own look-ups serve everybody: no client's refusal stops them.
    of: (user) =>
      secondsTo(user === undefined ? ownUntilMs : Math.max(waits.get(user) ?? 0, allUntilMs)),
    ofAll: () => secondsTo(allUntilMs),
  }
}
