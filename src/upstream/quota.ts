/** The cloud's quota, which everybody behind the gate shares: counted, forecast, and dealt out so that nobody takes it all. */

import { Problem } from '../domain/problem.ts'
import type { Clock } from '../domain/clock.ts'
import { createBackOff } from './back-off.ts'
import { createCallCounts } from './call-counts.ts'

export type QuotaOptions = {
  /** What the cloud lets one address call, in so many milliseconds. */
  calls: number
  perMs: number
  /** Share kept for the gate's own look-ups, 0 to 1. */
  reserve: number
  clock: Pick<Clock, 'monotonic'>
}

/** For people: how much is used, by whom, and when at this pace none is left. */
export type Forecast = {
  calls: number
  perS: number
  used: number
  /** Of these the gate's own: look-ups and lists. */
  own: number
  /** Calls a minute, of the last minute. */
  pace: number
  /** Whole seconds; absent: at this pace there is always some left. */
  exhaustedInS?: number
  /** Whole seconds for which the cloud has asked to be left alone. */
  backingOffS?: number
  /** Who uses most, at most ten. */
  users: readonly { user: string; used: number }[]
}

export interface Quota {
  /**
   * Counts a call made for an API user.
   * @param part of the clients' quota that it may have even alone, 0 to 1; absent: all
   * @throws Problem `upstream_quota`, with the seconds until there is room
   */
  take(user: string, part?: number): void
  /**
   * Counts one of the gate's own, made for these: it is a call of the first whose part has room, else it is one of the
   * reserve, for whoever has not had his part yet.
   * @throws as `take`, once neither has room
   */
  takeOwn(users: Iterable<string>): void
  /** Counts a call that is made in any case. */
  note(user: string): void
  /** The cloud answered 429. `user`: whose call it was; undefined: the gate's own. */
  refused(user: string | undefined, retryAfterS: number | undefined): void
  /** How many gates call from the same address: each takes its part. */
  share(replicas: number): void
  forecast(): Forecast
}

/** From this part of the clients' quota on, nobody gets more than a fair part of it. */
const contested = 0.8

export function createQuota(options: QuotaOptions): Quota {
  const { calls, perMs, reserve, clock } = options
  const counts = createCallCounts({ perMs, clock })
  const backOff = createBackOff(clock)
  let replicas = 1

  const all = () => Math.max(1, Math.floor(calls / replicas))
  const reserved = () => Math.floor(all() * reserve)
  /** What the gate has not used of its reserve stays reserved. */
  const forClients = () => all() - Math.max(reserved(), counts.reserved())
  const used = () => counts.clients() + counts.reserved()

  /** Why this API user gets no more out of what clients share; `undefined`: there is room. */
  function fullness(user: string, part: number): string | undefined {
    const mine = counts.of(user)
    const budget = forClients()
    const total = counts.clients()
    if (total >= budget) return 'the quota is used up'
    if (mine >= budget * part) return 'the rest is kept for others'
    const crowd = counts.users() + (mine === 0 ? 1 : 0)
    if (total >= budget * contested && mine >= budget / crowd) {
      return 'this API user has had its fair part of the quota'
    }
    return undefined
  }

  /** Nobody uses up the reserve either: it is dealt out as if one more were to come. */
  function isReservedFor(user: string): boolean {
    const room = counts.reserved() < reserved() && used() < all()
    return room && counts.of(user) < all() / (counts.users() + 1)
  }

  function assertWaited(user: string | undefined): void {
    const waitS = backOff.of(user)
    if (waitS > 0) throw refusal(waitS, 'the device cloud answered 429')
  }

  return {
    take(user, part = 1) {
      assertWaited(user)
      const full = fullness(user, part)
      if (full !== undefined) throw refusal(counts.nextRoomS(), full)
      counts.add(user, 'request')
    },
    takeOwn(users) {
      assertWaited(undefined)
      const those = [...users]
      const payer = those.find((user) => fullness(user, 1) === undefined)
      if (payer !== undefined) return counts.add(payer, 'look-up')
      const needy = those.find((user) => isReservedFor(user))
      if (needy === undefined) {
        throw refusal(counts.nextRoomS(), 'no part of the quota is left for look-ups')
      }
      counts.add(needy, 'reserved')
    },
    note: (user) => counts.add(user, 'request'),
    refused: (user, retryAfterS) => backOff.refused(user, retryAfterS),
    share(live) {
      replicas = Math.max(1, live)
    },
    forecast() {
      const pace = counts.lastMinute()
      const left = all() - used()
      const backingOffS = Math.max(backOff.of(undefined), backOff.ofAll())
      // At a pace that the window refills there is always some left.
      const outruns = pace * (perMs / 60_000) > all()
      return {
        ...{ calls: all(), perS: perMs / 1_000, used: used(), own: counts.own(), pace },
        ...(outruns && { exhaustedInS: Math.max(0, Math.ceil((left / pace) * 60)) }),
        ...(backingOffS > 0 && { backingOffS }),
        users: counts.top(10),
      }
    },
  }
}

function refusal(retryAfterS: number, cause: string): Problem {
  return new Problem('upstream_quota', { cause, retryAfterS: Math.max(1, retryAfterS) })
}
