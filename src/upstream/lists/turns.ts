/** Whose turn it is: API users with calls waiting take turns, and each has an allowance that no other can use up. */

import { LRUCache } from 'lru-cache'
import type { Clock } from '../../domain/clock.ts'
import { atMost } from '../../lib/at-most.ts'

export type Turns = {
  /** The turn he had last: who waited longest has the smallest. */
  lastOf(user: string): number
  /** He has used little of late. */
  isLight(user: string): boolean
  /** He has made a call. */
  took(user: string): void
}

type Taken = { turn: number; allowance: number; atMs: number }

/** Beyond so many, who has been away for longest counts as new. */
const maxUsers = 10_000

/** @param allowance calls per minute by which a user stays light, and as many at once */
export function createTurns(options: { allowance: number; clock: Clock }): Turns {
  const { allowance, clock } = options
  const users = new LRUCache<string, Taken>(atMost(maxUsers))
  let turn = 0

  function allowanceOf(user: string): number {
    const taken = users.peek(user)
    if (taken === undefined) return allowance
    const refill = ((clock.monotonic() - taken.atMs) * allowance) / 60_000
    return Math.min(allowance, taken.allowance + refill)
  }

  return {
    lastOf: (user) => users.peek(user)?.turn ?? 0,
    isLight: (user) => allowanceOf(user) >= 1,
    took(user) {
      turn += 1
      const left = Math.max(0, allowanceOf(user) - 1)
      users.set(user, { turn, allowance: left, atMs: clock.monotonic() })
    },
  }
}
