/** The change feed of a database that several gates share: a notice is a hint, a look each second the guarantee, the fence the promise. */

import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../../domain/clock.ts'
import { Problem } from '../../domain/problem.ts'
import type { NewChanges } from '../sql/change-log.ts'
import type { Change, ChangeFeed } from '../changes.ts'

/** What came after the known number, led by the change of that number itself; those up to `forgotten` may be gone. */
export type Look = NewChanges & { forgotten: number }

export type PostgresFeedOptions = {
  /** @throws StoreUnavailable, in about a second */
  look: (known: number) => Promise<Look>
  clock: Clock
  /** Calls back once, after so long; the returned function takes it back. */
  timer: (afterMs: number, run: () => void) => () => void
  /** Told of the first failure of each row of failures. */
  onFault: (error: unknown) => void
  /** Whether notices arrive at present. */
  listening: () => boolean
}

export type PostgresFeed = ChangeFeed & {
  /** The first look: what was before it was never in memory. @throws StoreUnavailable */
  start(): Promise<void>
  /** Others say that they have committed a change of this number. */
  noticed(seq: number): void
  /** Without waiting for it. */
  lookSoon(): void
}

export const fenceMs = 2000
const lookEveryMs = 1000
const againAfterMs = 250

export function createPostgresFeed(options: PostgresFeedOptions): PostgresFeed {
  const { clock, timer, onFault } = options
  const listeners = new Set<(changes: readonly Change[] | 'unknown') => void>()
  let seq = 0
  /** The change of that number, once it was seen. */
  let tip: Change | undefined
  /** When the last look that succeeded was sent. */
  let confirmed = { monotonicMs: Number.NEGATIVE_INFINITY, atMs: 0 }
  let current: Promise<void> | undefined
  let following: Promise<void> | undefined
  let cancelTimer: () => void = () => undefined
  let failing = false
  let closed = false

  function tell(changes: readonly Change[] | 'unknown'): void {
    for (const listener of listeners) listener(changes)
  }

  /** A listener that throws has not taken it in: nothing is confirmed then, and all are told again. */
  function take(seen: Look): void {
    const fresh = freshOf(seen, seq, tip)
    if (fresh.length > 0) tell(fresh)
    if (fresh === 'unknown') tip = undefined
    if (seen.changes !== 'unknown') tip = seen.changes.at(-1)
    seq = seen.seq
  }

  async function lookOnce(): Promise<void> {
    cancelTimer()
    const sent = { monotonicMs: clock.monotonic(), atMs: clock.now() }
    let dueMs = againAfterMs
    try {
      take(await options.look(seq))
      confirmed = sent
      failing = false
      dueMs = Math.max(0, sent.monotonicMs + lookEveryMs - clock.monotonic())
    } catch (error) {
      if (!failing && !closed) onFault(error)
      failing = true
      throw error
    } finally {
      if (!closed) cancelTimer = timer(dueMs, lookSoon)
    }
  }

  /** One at a time; the promise is that of a look sent after this call. */
  function look(): Promise<void> {
    if (current === undefined) {
      current = lookOnce().finally(() => {
        current = undefined
      })
      return current
    }
    following ??= current
      .catch(() => undefined)
      .then(() => {
        following = undefined
        return look()
      })
    return following
  }

  function lookSoon(): void {
    // What failed was said, and is tried again.
    if (!closed) look().catch(() => undefined)
  }

  return {
    async start() {
      const sent = { monotonicMs: clock.monotonic(), atMs: clock.now() }
      seq = (await options.look(Number.MAX_SAFE_INTEGER)).seq
      confirmed = sent
      cancelTimer = timer(lookEveryMs, lookSoon)
    },
    noticed(number) {
      if (number > seq) lookSoon()
    },
    lookSoon,
    look() {},
    async refresh() {
      try {
        await look()
      } catch (error) {
        // What was just committed is not known here: memory is given up rather than believed.
        tell('unknown')
        throw error
      }
    },
    assertFresh() {
      // The monotonic clock stands still while a machine is suspended; the wall clock may be set back. The later one counts.
      const ageMs = Math.max(
        clock.monotonic() - confirmed.monotonicMs,
        clock.now() - confirmed.atMs,
      )
      if (ageMs <= fenceMs) return
      const cause = new Error(`changes of the store are not known since ${Math.round(ageMs)} ms`)
      throw new Problem('store_unavailable', { cause })
    },
    onChange(listener) {
      listeners.add(listener)
      return { [Symbol.dispose]: () => void listeners.delete(listener) }
    },
    state: () => ({ seq, confirmedAtMs: confirmed.atMs, listening: options.listening() }),
    async [Symbol.asyncDispose]() {
      closed = true
      cancelTimer()
      await (following ?? current)?.catch(() => undefined)
    },
  }
}

/**
 * Each look asks for the last known change once more. A database that fell back to an older state counts on from there:
 * the same number is another change then, or there is none, and nothing that was learned since can be believed.
 */
function freshOf(
  { changes, forgotten }: Look,
  seq: number,
  tip: Change | undefined,
): readonly Change[] | 'unknown' {
  if (changes === 'unknown') return changes
  const [again, ...fresh] = changes
  if (again?.seq !== seq) return forgotten >= seq ? changes : 'unknown'
  return tip === undefined || isDeepStrictEqual(again, tip) ? fresh : 'unknown'
}
