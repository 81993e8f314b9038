/** Calls of the last window, by API user: counted in slices, so that old ones leave without being looked at one by one. */

import type { Clock } from '../domain/clock.ts'

/** `request`: an API user's own. `look-up`: the gate's, for an API user and out of his part; `reserved`: out of the reserve. */
export type CallKind = 'request' | 'look-up' | 'reserved'

export type CallCounts = {
  add(user: string, kind: CallKind): void
  /** All that was called for this API user. */
  of(user: string): number
  /** The gate's own calls. */
  own(): number
  /** Those out of the reserve. */
  reserved(): number
  /** All but those. */
  clients(): number
  /** How many API users have called. */
  users(): number
  /** Of everybody, within the last minute. */
  lastMinute(): number
  /** Whole seconds until the oldest slice leaves. */
  nextRoomS(): number
  top(most: number): { user: string; used: number }[]
}

type Sums = { own: number; reserved: number; clients: number }
type Slice = Sums & { number: number; byUser: Map<string, number> }

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
  const all: Sums = { own: 0, reserved: 0, clients: 0 }

  function current(): Slice {
    const number = Math.floor(clock.monotonic() / sliceMs)
    // One slice more than the window has: a call counts for at least its whole length.
    while (kept[0] !== undefined && kept[0].number < number - slices) forget(kept[0])
    const last = kept.at(-1)
    if (last?.number === number) return last
    const fresh: Slice = { number, own: 0, reserved: 0, clients: 0, byUser: new Map() }
    kept.push(fresh)
    return fresh
  }

  function forget(slice: Slice): void {
    kept.shift()
    all.own -= slice.own
    all.reserved -= slice.reserved
    all.clients -= slice.clients
    for (const [user, count] of slice.byUser) {
      const left = (byUser.get(user) ?? 0) - count
      if (left > 0) byUser.set(user, left)
      else byUser.delete(user)
    }
  }

  return {
    add(user, kind) {
      const slice = current()
      for (const sums of [slice, all]) {
        if (kind !== 'request') sums.own += 1
        if (kind === 'reserved') sums.reserved += 1
        else sums.clients += 1
      }
      slice.byUser.set(user, (slice.byUser.get(user) ?? 0) + 1)
      byUser.set(user, (byUser.get(user) ?? 0) + 1)
    },
    of(user) {
      current()
      return byUser.get(user) ?? 0
    },
    own() {
      current()
      return all.own
    },
    reserved() {
      current()
      return all.reserved
    },
    clients() {
      current()
      return all.clients
    },
    users() {
      current()
      return byUser.size
    },
    lastMinute() {
      const since = current().number - Math.ceil(60_000 / sliceMs)
      return kept
        .filter(({ number }) => number > since)
        .reduce((sum, slice) => sum + slice.reserved + slice.clients, 0)
    },
    nextRoomS() {
      current()
      const oldest = kept.find((slice) => slice.reserved + slice.clients > 0)
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
