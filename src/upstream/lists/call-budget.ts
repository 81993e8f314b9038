/** How many calls reading lists may cost of the cloud's quota: one bucket, refilled smoothly, of which API users take turns. */

import type { Clock } from '../../domain/clock.ts'
import { Problem } from '../../domain/problem.ts'
import type { After } from './timer.ts'
import { createTurns } from './turns.ts'

/** `awaited`: a client waits for it. `background` gives way to those, and leaves them a reserve. */
export type Urgency = 'awaited' | 'background'

/** `users`: on whose behalf, at least one. It has the turn of each of them. */
export type Claim = { urgency: Urgency; users: Iterable<string> }

export type CallWanted = {
  /** Asked again at each turn: a client may begin to wait for what was begun without one, or for another. */
  claim(): Claim
  /** `refuses`: rather than wait long, fails. `waits`: what was begun is not thrown away. */
  patience: 'refuses' | 'waits'
  signal: AbortSignal
}

export type CallBudget = Disposable & {
  /**
   * Resolves when one more call may be made: one user after the other, and each user's own in the order of asking.
   * @throws Problem `overloaded` with the seconds until then; the signal's reason
   */
  take(call: CallWanted): Promise<void>
  /** Someone waits for what he did not wait for. */
  hurry(): void
}

type Waiting = CallWanted & { go(): void; stop(error: unknown): void }
/** `user`: of those it is for, the one whose turn comes first. */
type Standing = { urgency: Urgency; user: string; turn: number; needed: number }
type Candidate = Standing & { call: Waiting }

/** Beyond this a client is better told when to come back. */
const longestWaitMs = 10_000
/**
 * Share of the bucket that background readings leave for clients, and clients who read much for those who read
 * little; a user who reads less than this a minute reads little.
 */
const reserveShare = 0.1

export function createCallBudget(options: {
  callsPerMinute: number
  clock: Clock
  after: After
}): CallBudget {
  const { callsPerMinute, clock, after } = options
  const perMs = callsPerMinute / 60_000
  const reserve = Math.floor(callsPerMinute * reserveShare)
  const turns = createTurns({ allowance: reserve, clock })
  const queue: Waiting[] = []
  let left = callsPerMinute
  let atMs = clock.monotonic()
  let wakeUp: (() => void) | undefined

  function refill(): void {
    const now = clock.monotonic()
    left = Math.min(callsPerMinute, left + (now - atMs) * perMs)
    atMs = now
  }

  function standingOf({ claim }: CallWanted): Standing {
    const { urgency, users } = claim()
    let first: { user: string; turn: number } | undefined
    let light = false
    for (const user of users) {
      const turn = turns.lastOf(user)
      if (first === undefined || turn < first.turn) first = { user, turn }
      light ||= turns.isLight(user)
    }
    if (first === undefined) throw new Problem('internal', { cause: 'a call for nobody' })
    return { urgency, ...first, needed: urgency === 'awaited' && light ? 1 : reserve + 1 }
  }

  /** The next that may be made now, or else how much must be left before one may. */
  function next(): { call: Waiting; user: string } | { needed: number } | undefined {
    const candidates = queue.map((call) => ({ call, ...standingOf(call) }))
    const awaited = candidates.filter(({ urgency }) => urgency === 'awaited')
    const urgent = awaited.length > 0 ? awaited : candidates
    if (urgent.length === 0) return undefined
    let found: Candidate | undefined
    for (const candidate of urgent) {
      if (left < candidate.needed) continue
      if (found === undefined || candidate.turn < found.turn) found = candidate
    }
    return (
      found ?? { needed: urgent.reduce((least, each) => Math.min(least, each.needed), Infinity) }
    )
  }

  function pump(): void {
    wakeUp?.()
    wakeUp = undefined
    refill()
    for (let found = next(); found !== undefined; found = next()) {
      if (!('call' in found)) {
        wakeUp = after(Math.ceil((found.needed - left) / perMs), pump)
        return
      }
      left -= 1
      turns.took(found.user)
      found.call.go()
    }
  }

  /** How long this one will wait if no other comes, about: milliseconds. */
  function waitOf(call: CallWanted): number {
    const own = standingOf(call)
    const waiting = new Map<string, number>()
    for (const other of queue) {
      const { urgency, user, needed } = standingOf(other)
      const before = urgency === 'awaited' && needed <= own.needed
      if (before) waiting.set(user, (waiting.get(user) ?? 0) + 1)
    }
    const rounds = (waiting.get(own.user) ?? 0) + 1
    const ahead = waiting.values().reduce((sum, calls) => sum + Math.min(calls, rounds), 0)
    return (ahead + own.needed - left) / perMs
  }

  return {
    take(call) {
      refill()
      if (call.patience === 'refuses' && call.claim().urgency === 'awaited') {
        const waitMs = waitOf(call)
        if (waitMs > longestWaitMs) return Promise.reject(spent(waitMs))
      }
      return new Promise((resolve, reject) => {
        const leave = () => {
          call.signal.removeEventListener('abort', gone)
          queue.splice(queue.indexOf(waiting), 1)
        }
        const gone = () => waiting.stop(call.signal.reason)
        const waiting: Waiting = {
          ...call,
          go: () => {
            leave()
            resolve()
          },
          stop: (error) => {
            leave()
            reject(error)
          },
        }
        queue.push(waiting)
        if (call.signal.aborted) return gone()
        call.signal.addEventListener('abort', gone, { once: true })
        pump()
      })
    },
    hurry() {
      if (queue.length > 0) pump()
    },
    [Symbol.dispose]() {
      wakeUp?.()
      for (const waiting of queue.slice()) waiting.stop(new Problem('overloaded'))
    },
  }
}

function spent(waitMs: number): Problem {
  const cause = 'the budget of calls for lists is spent; raise lists.calls'
  return new Problem('overloaded', { cause, retryAfterS: Math.ceil(waitMs / 1000) })
}
