/** When a token ends: pure arithmetic on its row, today's expiry of its API user and the time. */

import type { Expiry } from '../domain/grant.ts'
import type { TokenRow } from './token-store.ts'

/** Milliseconds since the epoch at which a token issued then ends for good; undefined: no fixed end. */
export function endOf(expiry: Expiry, issuedAtMs: number): number | undefined {
  switch (expiry.kind) {
    case 'date':
      return expiry.atMs
    case 'lifetime':
      return issuedAtMs + expiry.lifetimeMs
    case 'idle':
    case 'never':
      return undefined
  }
}

/** The earlier of two limits, where undefined means none. */
export function earlier(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined) return other
  return other === undefined ? one : Math.min(one, other)
}

/**
 * Whether a token has run out. The row's own limits were fixed at issue; `today` can only shorten them.
 * @param lastUsedAtMs of the row or newer, when uses are not yet in the store; undefined: never used
 */
export function hasExpired(
  row: Pick<TokenRow, 'createdAtMs' | 'expiresAtMs' | 'idleMs'>,
  today: Expiry | undefined,
  lastUsedAtMs: number | undefined,
  nowMs: number,
): boolean {
  const end = earlier(row.expiresAtMs, today && endOf(today, row.createdAtMs))
  if (end !== undefined && nowMs >= end) return true
  const idle = earlier(row.idleMs, today?.idleMs)
  if (idle === undefined) return false
  // A clock that was set back must not stretch the idle time: a use too far in the future counts like one too long ago.
  return Math.abs(nowMs - (lastUsedAtMs ?? row.createdAtMs)) >= idle
}
