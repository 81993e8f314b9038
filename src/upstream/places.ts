/** Who gets the next connection to the cloud: API users take turns, and nobody takes what the others need. */

import { Problem } from '../domain/problem.ts'

/** A call that wants a connection. */
export interface Entrant {
  /** Whose turn it takes. */
  readonly user: string
  /** A call of the gate's own. */
  readonly own: boolean
  /** It has its place. `waited`: others went before it. Never throws. */
  go(waited: boolean): void
}

export interface Places {
  /** @throws Problem `too_many_calls` where this one has had its part, `overloaded` where nothing is left */
  assertRoom(user: string, own?: boolean): void
  /** Lets it go at once, or when its turn comes. @throws Problem as `assertRoom` */
  enter(entrant: Entrant): void
  /** Its place, or its wait for one, is over. Once for each that entered. */
  leave(entrant: Entrant): void
}

/**
 * How often what is left for others one may have. Alone that is three quarters; of two each gets three sevenths: whoever
 * comes finds a connection free, however many have taken theirs before and however slow their calls are.
 */
const timesTheRest = 3

type User = { underWay: number; waiting: Set<Entrant> }

/**
 * @param options.connections calls under way at most
 * @param options.calls calls under way or waiting at most
 */
export function createPlaces({
  connections,
  calls,
}: {
  connections: number
  calls: number
}): Places {
  const users = new Map<string, User>()
  /** Those with calls that wait; who went last stands last. */
  const inTurn = new Set<User>()
  let underWay = 0
  let waiting = 0
  let dealing = false

  function assertRoom(user: string, own = false): void {
    const left = calls - underWay - waiting
    const known = users.get(user)
    const mine = known === undefined ? 0 : known.underWay + known.waiting.size
    if (left > 0 && mine < timesTheRest * left) return
    throw new Problem(left <= 0 || own ? 'overloaded' : 'too_many_calls', { retryAfterS: 1 })
  }

  function mayGo(user: User): boolean {
    return user.underWay < timesTheRest * (connections - underWay)
  }

  function begin(user: User, entrant: Entrant, waited: boolean): void {
    user.underWay += 1
    underWay += 1
    entrant.go(waited)
  }

  /** What goes may fail and leave at once: then this very round deals its place out again. */
  function deal(): void {
    if (dealing) return
    dealing = true
    for (let user = nextInTurn(); user !== undefined; user = nextInTurn()) {
      const [entrant] = user.waiting
      if (entrant === undefined) break
      inTurn.delete(user)
      stopWaiting(user, entrant)
      if (user.waiting.size > 0) inTurn.add(user)
      begin(user, entrant, true)
    }
    dealing = false
  }

  function nextInTurn(): User | undefined {
    for (const user of inTurn) if (mayGo(user)) return user
    return undefined
  }

  function stopWaiting(user: User, entrant: Entrant): boolean {
    if (!user.waiting.delete(entrant)) return false
    waiting -= 1
    if (user.waiting.size === 0) inTurn.delete(user)
    return true
  }

  return {
    assertRoom,
    enter(entrant) {
      assertRoom(entrant.user, entrant.own)
      const user = users.get(entrant.user) ?? { underWay: 0, waiting: new Set() }
      users.set(entrant.user, user)
      if (user.waiting.size === 0 && mayGo(user)) return begin(user, entrant, false)
      user.waiting.add(entrant)
      waiting += 1
      inTurn.add(user)
    },
    leave(entrant) {
      const user = users.get(entrant.user)
      if (user === undefined) return
      if (!stopWaiting(user, entrant)) {
        user.underWay -= 1
        underWay -= 1
      }
      if (user.underWay === 0 && user.waiting.size === 0) users.delete(entrant.user)
      if (waiting > 0) deal()
    },
  }
}
