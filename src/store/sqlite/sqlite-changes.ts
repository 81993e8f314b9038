/** The change feed of SQLite: the file itself says, for two microseconds, whether anybody has committed to it. */

import { Problem } from '../../domain/problem.ts'
import { changesAfter, toNewChanges } from '../sql/change-log.ts'
import type { Clock } from '../../domain/clock.ts'
import type { ChangeFeed, Change } from '../changes.ts'
import type { SqliteConnection } from './sqlite-connection.ts'

export type SqliteChangesOptions = {
  /** The one that never writes: its `data_version` moves with every commit, our own writer's too. */
  reader: SqliteConnection
  clock: Pick<Clock, 'now'>
  onTurnEnd: ((callback: () => void) => void) | undefined
}

/** What cannot be looked at cannot be believed: `look` and `refresh` throw Problem `store_unavailable`, as `assertFresh` does then. */
export function createSqliteChanges(options: SqliteChangesOptions): ChangeFeed {
  const { reader, clock, onTurnEnd } = options
  const listeners = new Set<(changes: readonly Change[] | 'unknown') => void>()
  // The version first: what is committed in between is then taken in twice rather than never.
  let version = reader.dataVersion()
  let { seq } = changesSince(Number.MAX_SAFE_INTEGER)
  let confirmedAtMs = clock.now()
  let lookedThisTurn = false
  let failure: unknown
  const turnEnded = () => {
    lookedThisTurn = false
  }

  function changesSince(after: number) {
    return toNewChanges(reader.all(changesAfter, [after]), after)
  }

  function takeIn(): void {
    const today = reader.dataVersion()
    if (today !== version) {
      const taken = changesSince(seq)
      if (taken.changes.length > 0) for (const listener of listeners) listener(taken.changes)
      // Only now: what a listener failed to take in is told again.
      seq = taken.seq
      version = today
    }
    confirmedAtMs = clock.now()
  }

  function confirm(): void {
    try {
      takeIn()
      failure = undefined
    } catch (error) {
      failure = error ?? new Error('The store cannot be read.')
      assertFresh()
    }
  }

  function assertFresh(): void {
    if (failure === undefined) return
    throw new Problem('store_unavailable', { cause: failure, retryAfterS: 1 })
  }

  return {
    look() {
      if (lookedThisTurn && failure === undefined) return
      confirm()
      if (onTurnEnd === undefined) return
      lookedThisTurn = true
      onTurnEnd(turnEnded)
    },
    async refresh() {
      confirm()
    },
    assertFresh,
    onChange(listener) {
      // Of its own, so that the same function given twice is told twice and leaves once.
      const own = (changes: readonly Change[] | 'unknown') => listener(changes)
      listeners.add(own)
      return { [Symbol.dispose]: () => void listeners.delete(own) }
    },
    state: () => ({ seq, confirmedAtMs, listening: true }),
    async [Symbol.asyncDispose]() {
      listeners.clear()
    },
  }
}
