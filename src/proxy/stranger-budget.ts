/** How many requests of callers that the gate does not know are served and written down: a budget by address, and one for all of them. */

import type { Clock } from '../domain/clock.ts'
import { Problem } from '../domain/problem.ts'
import { addressBlock } from '../lib/address-block.ts'

export type StrangerBudget = {
  /** @throws Problem `rationed`, with the seconds until there is room */
  take(address: string): void
}

export type StrangerBudgetOptions = {
  clock: Pick<Clock, 'monotonic'>
  /** Of one address; of IPv6 one /64. */
  perMinute: number
  /** Of all of them: what they can write to the log in a minute is bounded by it. */
  allPerMinute: number
}

const minuteMs = 60_000
const says = 'Too many requests of callers that the gate does not know; try again later.'

export function createStrangerBudget(options: StrangerBudgetOptions): StrangerBudget {
  const { clock, perMinute, allPerMinute } = options
  /** Never more than `allPerMinute`: who is refused is not counted. */
  const byBlock = new Map<string, number>()
  let sinceMs = clock.monotonic()
  let all = 0

  return {
    take(address) {
      const nowMs = clock.monotonic()
      if (nowMs - sinceMs >= minuteMs) {
        sinceMs = nowMs
        all = 0
        byBlock.clear()
      }
      const block = addressBlock(address)
      const mine = byBlock.get(block) ?? 0
      if (all >= allPerMinute || mine >= perMinute) {
        const retryAfterS = Math.max(1, Math.ceil((sinceMs + minuteMs - nowMs) / 1_000))
        throw new Problem('rationed', { says, retryAfterS })
      }
      all += 1
      byBlock.set(block, mine + 1)
    },
  }
}
