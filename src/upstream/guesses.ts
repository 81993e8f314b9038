/** What each API user has looked up and whether it led anywhere: dead ends cost, whatever they were made of. */

import { LRUCache } from 'lru-cache'
import type { Clock } from '../domain/clock.ts'
import type { Ration } from './ration.ts'

/**
 * An unknown thing and one that the caller may not have must cost alike, or the ration itself tells which there are:
 * both cost one, once in `repeatMs`, and both need room in the ration before anybody looks.
 */
export type Guesses = {
  /** No ration is needed for this name now: it led somewhere before, or was paid for a moment ago. */
  isFree(user: string, name: string, known: boolean): boolean
  /** Notes a look-up that is back, and says what it costs. */
  cost(user: string, name: string, known: boolean): 0 | 1
  /** What was found did not help after all: the first of these names that this user has looked up costs, if any. */
  deadEnd(user: string, names: readonly string[]): void
}

type Trace = { deadEnd: boolean; atMs: number }

export function createGuesses(options: {
  clock: Clock
  ration: Ration
  /** A dead end that is tried again sooner costs nothing more. */
  repeatMs: number
  maxTraces: number
}): Guesses {
  const { clock, ration, repeatMs } = options
  const traces = new LRUCache<string, Trace>({ max: options.maxTraces })

  // No name of an API user and no key holds a line break.
  const keyOf = (user: string, name: string) => `${user}\n${name}`
  const isPaid = (trace: Trace | undefined) =>
    trace !== undefined && trace.deadEnd && clock.monotonic() - trace.atMs < repeatMs

  return {
    isFree(user, name, known) {
      const trace = traces.get(keyOf(user, name))
      return trace !== undefined && (trace.deadEnd ? isPaid(trace) : known)
    },
    cost(user, name, known) {
      const key = keyOf(user, name)
      if (isPaid(traces.get(key))) return 0
      // What is known may still turn out to be a dead end, once it is decided.
      traces.set(key, { deadEnd: !known, atMs: clock.monotonic() })
      return known ? 0 : 1
    },
    deadEnd(user, names) {
      const key = names.map((name) => keyOf(user, name)).find((one) => traces.has(one))
      if (key === undefined || isPaid(traces.get(key))) return
      traces.set(key, { deadEnd: true, atMs: clock.monotonic() })
      ration.charge(user)
    },
  }
}
