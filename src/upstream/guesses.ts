/** What each API user has looked up and whether it led anywhere: dead ends cost, whatever they were made of. */

import { LRUCache } from 'lru-cache'
import type { Clock } from '../domain/clock.ts'
import { atMost } from '../lib/at-most.ts'
import type { Ration } from './ration.ts'

/**
 * An unknown thing and one that the caller may not have must cost alike, or the ration itself tells which there are:
 * both cost one, and both need room in the ration before anybody looks. A repeat is free only for `repeatMs`, and only
 * where an answer as old as the last one would do: what has to be asked anew each time costs each time.
 */
export type Guesses = {
  /** To note before a look-up: what was begun before another was paid for is no repeat of it. */
  begin(): number
  /** No ration is needed for what is in memory of this name: it led somewhere before, or was paid for a moment ago. */
  isFree(look: Look): boolean
  /** Notes a look-up that is back, and says what it costs. */
  cost(look: Look & { begun: number }): 0 | 1
  /** What was found did not help after all: the first of these names that this user has looked up costs, if any. */
  deadEnd(user: string, names: readonly string[]): void
}

/** `maxAgeMs`: how old an answer may be. */
export type Look = { user: string; name: string; known: boolean; maxAgeMs: number }

/** `paid`: when it was paid for, in the order of beginnings and payments. */
type Trace = { deadEnd: boolean; atMs: number; paid: number }

export function createGuesses(options: {
  clock: Clock
  ration: Ration
  /** A dead end that is tried again sooner costs nothing more. */
  repeatMs: number
  maxTraces: number
}): Guesses {
  const { clock, ration, repeatMs } = options
  const traces = new LRUCache<string, Trace>(atMost(options.maxTraces))

  // No name of an API user and no key holds a line break.
  const keyOf = (user: string, name: string) => `${user}\n${name}`
  const isPaid = (trace: Trace | undefined, maxAgeMs = repeatMs) =>
    trace !== undefined &&
    trace.deadEnd &&
    clock.monotonic() - trace.atMs < Math.min(repeatMs, maxAgeMs)
  let moment = 0
  const note = (key: string, deadEnd: boolean) => {
    moment += 1
    traces.set(key, { deadEnd, atMs: clock.monotonic(), paid: moment })
  }

  return {
    begin: () => moment,
    isFree({ user, name, known, maxAgeMs }) {
      const trace = traces.get(keyOf(user, name))
      return trace !== undefined && (trace.deadEnd ? isPaid(trace, maxAgeMs) : known)
    },
    cost({ user, name, known, maxAgeMs, begun }) {
      const key = keyOf(user, name)
      const trace = traces.get(key)
      const isOneOfMany = trace !== undefined && begun < trace.paid && isPaid(trace)
      if (isOneOfMany || isPaid(trace, maxAgeMs)) return 0
      // What is known may still turn out to be a dead end, once it is decided.
      note(key, !known)
      return known ? 0 : 1
    },
    deadEnd(user, names) {
      const key = names.map((name) => keyOf(user, name)).find((one) => traces.has(one))
      if (key === undefined || isPaid(traces.get(key))) return
      note(key, true)
      ration.charge(user)
    },
  }
}
