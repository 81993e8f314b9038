/** When a token ends, and from when on it counts: pure arithmetic on its row, today's expiry of its API user and the time. */

import type { Expiry } from '../domain/grant.ts'
import type { TokenInfo } from './tokens.ts'
import type { TokenRow } from './token-store.ts'

/** `ended`: its date has passed. `idle`: it was not used for too long. */
export type Standing = 'valid' | 'not_yet_valid' | 'ended' | 'idle'

export type Limits = Pick<TokenRow, 'expiresAtMs' | 'notBeforeMs' | 'idleMs'>

type Dated = Limits & Pick<TokenRow, 'createdAtMs'>

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

/** The row's own limits were fixed at issue; today's can only shorten them, and only put off the beginning. */
export function limitsOf(row: Dated, today: Expiry | undefined): Limits {
  return {
    expiresAtMs: earlier(row.expiresAtMs, today && endOf(today, row.createdAtMs)),
    notBeforeMs: later(row.notBeforeMs, today?.notBeforeMs),
    idleMs: earlier(row.idleMs, today?.idleMs),
  }
}

/**
 * How a token stands that is not revoked.
 * @param lastUsedAtMs of the row or newer, when uses are not yet in the store; undefined: never used
 */
export function standingOf(
  row: Dated,
  today: Expiry | undefined,
  lastUsedAtMs: number | undefined,
  nowMs: number,
): Standing {
  const { expiresAtMs, notBeforeMs, idleMs } = limitsOf(row, today)
  if (expiresAtMs !== undefined && nowMs >= expiresAtMs) return 'ended'
  if (notBeforeMs !== undefined && nowMs < notBeforeMs) return 'not_yet_valid'
  if (idleMs === undefined) return 'valid'
  // A clock that was set back must not stretch the idle time: a use too far in the future counts like one too long ago.
  return Math.abs(nowMs - idleSince(row, lastUsedAtMs)) >= idleMs ? 'idle' : 'valid'
}

/** When it runs out if it is not used again; undefined: never. */
export function runsOutAt(
  row: Dated,
  today: Expiry | undefined,
  lastUsedAtMs: number | undefined,
): number | undefined {
  const { expiresAtMs, idleMs } = limitsOf(row, today)
  return earlier(expiresAtMs, idleMs && idleSince(row, lastUsedAtMs) + idleMs)
}

/** Until the first use from its creation on, or from when it may be used; today's edits never give it longer. */
function idleSince(row: Dated, lastUsedAtMs: number | undefined): number {
  return lastUsedAtMs ?? Math.max(row.createdAtMs, row.notBeforeMs ?? row.createdAtMs)
}

function later(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined) return other
  return other === undefined ? one : Math.max(one, other)
}

/**
 * Whether a token's end is near enough to be spoken of. An idle limit shorter than that would always be: it counts once
 * half of it has passed without a use.
 */
export function endsSoon(
  token: Pick<TokenInfo, 'state' | 'expiresAtMs' | 'endsAtMs' | 'idleMs'>,
  { nowMs, warnBeforeMs }: { nowMs: number; warnBeforeMs: number },
): boolean {
  const { state, expiresAtMs, endsAtMs, idleMs } = token
  if (state !== 'valid' || endsAtMs === undefined) return false
  if (expiresAtMs !== undefined && expiresAtMs - nowMs <= warnBeforeMs) return true
  return idleMs !== undefined && endsAtMs - nowMs <= Math.min(warnBeforeMs, idleMs / 2)
}
