/** Calls of the last window, by API user: counted in slices, so that old ones leave without being looked at one by one. */

import type { Clock } from '../domain/clock.ts'

export type CallCounts = {
  /** `undefined`: a call of the gate's own. */
  add(user: string | undefined): void
  of(user: string): number
  own(): number
  /** Of all API users. */
  clients(): number
  /** How many API users have called. */
  users(): number
  /** Of everybody, within the last minute. */
  lastMinute(): number
  /** Whole seconds until the oldest slice leaves. */
  nextRoomS(): number
  top(most: number): { user: string; used: number }[]
}

type Slice = { number: number; own: number; clients: number; byUser: Map<string, number> }

const slices = 60

export function createCallCounts(options: {
  perMs: number
  clock: Pick<Clock, 'monotonic'>
}): CallCounts {
  const { perMs, clock } = options
  const sliceMs = perMs / slices
  /** Oldest first. */
  const kept: Slice[] = []
  const byUser = new Map<string, number>()
  let own = 0
  let clients = 0

  function current(): Slice {
    const number = Math.floor(clock.monotonic() / sliceMs)
    // One slice more than the window has: a call counts for at least its whole length.
    while (kept[0] !== undefined && kept[0].number < number - slices) forget(kept[0])
    const last = kept.at(-1)
    if (last?.number === number) return last
    const fresh: Slice = { number, own: 0, clients: 0, byUser: new Map() }
    kept.push(fresh)
    return fresh
  }

  function forget(slice: Slice): void {
    kept.shift()
    own -= slice.own
    clients -= slice.clients
    for (const [user, count] of slice.byUser) {
      const left = (byUser.get(user) ?? 0) - count
      if (left > 0) byUser.set(user, left)
      else byUser.delete(user)
    }
  }

  return {
    add(user) {
      const slice = current()
      if (user === undefined) {
        slice.own += 1
        own += 1
        return
      }
      slice.clients += 1
      clients += 1
      slice.byUser.set(user, (slice.byUser.get(user) ?? 0) + 1)
      byUser.set(user, (byUser.get(user) ?? 0) + 1)
    },
    of(user) {
      current()
      return byUser.get(user) ?? 0
    },
    own() {
      current()
      return own
    },
    clients() {
      current()
      return clients
    },
    users() {
      current()
      return byUser.size
    },
    lastMinute() {
      const since = current().number - Math.ceil(60_000 / sliceMs)
      return kept
        .filter(({ number }) => number > since)
        .reduce((sum, slice) => sum + slice.own + slice.clients, 0)
    },
    nextRoomS() {
      current()
      const oldest = kept.find((slice) => slice.own + slice.clients > 0)
      if (oldest === undefined) return 1
      const leavesMs = (oldest.number + slices + 1) * sliceMs - clock.monotonic()
      return Math.max(1, Math.ceil(leavesMs / 1_000))
    },
    top(most) {
      current()
      return [...byUser]
        .map(([user, used]) => ({ user, used }))
        .toSorted((a, b) => b.used - a.used)
        .slice(0, most)
    },
  }
}
