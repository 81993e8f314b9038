/** Looks at all API users at once: dear ones, so that they are made one at a time, and what one found serves whoever asks the same. */

import type { Clock } from '../domain/clock.ts'
import { Problem } from '../domain/problem.ts'

/** One at a time. @throws Problem `overloaded` where too many wait already, and what `work` throws */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>

/** In their order. A name may be in both: its definition in the store counts for nothing then. */
export type Names = { inFiles: readonly string[]; inStore: readonly string[] }

/** @param key what is looked for */
export type Looks = (key: string, look: () => Promise<Names>) => Promise<Names>

export type LooksParts = {
  clock: Pick<Clock, 'monotonic'>
  inTurn: InTurn
  /** Other than it was, once anything has changed that a look may see. */
  standing: () => string
}

const maxWaiting = 10
/** Each may hold all the names there are. */
const maxKept = 4
/** Tokens end also where nothing changes. */
const maxAgeMs = 5_000

type Kept = { atMs: number; standing: string; found: Promise<Names> }

export function createInTurn(): InTurn {
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0
  return (work) => {
    if (waiting > maxWaiting) {
      return Promise.reject(
        new Problem('overloaded', {
          says: 'Too many lists are being made; try again later.',
          retryAfterS: 2,
        }),
      )
    }
    waiting += 1
    const turn = last.then(work)
    last = turn.then(
      () => (waiting -= 1),
      () => (waiting -= 1),
    )
    return turn
  }
}

export function createLooks({ clock, inTurn, standing }: LooksParts): Looks {
  const kept = new Map<string, Kept>()

  return (key, look) => {
    const now = { atMs: clock.monotonic(), standing: standing() }
    const known = kept.get(key)
    if (known?.standing === now.standing && now.atMs - known.atMs < maxAgeMs) return known.found
    const fresh: Kept = { ...now, found: inTurn(look) }
    kept.delete(key)
    const [oldest] = kept.size >= maxKept ? kept.keys() : []
    if (oldest !== undefined) kept.delete(oldest)
    kept.set(key, fresh)
    fresh.found.catch(() => {
      // What failed is not kept.
      if (kept.get(key) === fresh) kept.delete(key)
    })
    return fresh.found
  }
}
