/** From a bearer token to a principal, and the second look at it right before the request is served. */

import { hash, timingSafeEqual } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { Problem } from '../domain/problem.ts'
import { earlier, hasExpired } from './expiry.ts'
import { createGrantCache } from './grant-cache.ts'
import { parseToken } from './token-format.ts'
import type { Clock } from '../domain/clock.ts'
import type { Expiry } from '../domain/grant.ts'
import type { Principal } from '../domain/principal.ts'
import type { LastUsed } from './last-used.ts'
import type { TokenRow, TokenStore } from './token-store.ts'

export type AuthenticatorOptions = {
  store: TokenStore
  clock: Pick<Clock, 'now'>
  lastUsed: LastUsed
  cacheSize: number
  currentExpiry?: (user: string) => Expiry | undefined
}

export type Authenticator = {
  authenticate(token: string | undefined): Principal
  confirm(principal: Principal): void
  recheck(principal: Principal): void
}

type Entry = { row: TokenRow; principal: Principal }

/** Compared with where there is no row, so that an unknown id costs what a wrong secret costs (T11). */
const noHash = Buffer.alloc(32)

/** How often an open stream counts as a use of its token. */
const openNoteMs = 60_000

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { store, clock, lastUsed, cacheSize, currentExpiry } = options
  const entries = new LRUCache<string, Entry>({ max: cacheSize })
  const grants = createGrantCache(store, cacheSize)
  const digest = Buffer.alloc(32)
  /** Rows as they were at an epoch, for as long as somebody holds on to the principal. */
  const watched = new WeakMap<Principal, { row: TokenRow; epoch: number }>()

  function authenticate(token: string | undefined): Principal {
    if (token === undefined || token === '') throw new Problem('missing_token')
    const parsed = parseToken(token, 'u')
    if (parsed.result !== 'ok') throw new Problem('invalid_token')
    // Hex and one buffer for all cost half of a new buffer each time; nothing below keeps or awaits it.
    digest.write(hash('sha256', token), 'hex')
    const epoch = store.epoch()
    const { row, principal } = cached(parsed.id, epoch) ?? lookUp(parsed.id, epoch)
    const now = clock.now()
    // Only the holder of the right secret gets here, so only they learn that it has expired.
    assertNotExpired(row, now)
    lastUsed.note(row.id, now)
    return principal
  }

  function cached(id: string, epoch: number): Entry | undefined {
    const entry = entries.get(id)
    if (entry === undefined || entry.principal.epoch !== epoch) return undefined
    // A wrong secret goes on to the store like an unknown id: both take the same time (T11).
    return timingSafeEqual(entry.row.hash, digest) ? entry : undefined
  }

  function lookUp(id: string, epoch: number): Entry {
    const row = store.find(id)
    const right = timingSafeEqual(row?.hash ?? noHash, digest)
    if (!right || row === undefined || row.revokedAtMs !== undefined)
      throw new Problem('invalid_token')
    const issued = grants.get(row.grantHash)
    // Pruned between the two look-ups: the token was extended or revoked this instant. The next try sees it settled.
    if (issued === undefined) throw new Problem('store_unavailable', { retryAfterS: 1 })
    const principal: Principal = {
      user: row.user,
      tokenId: row.id,
      issued,
      issuedHash: row.grantHash,
      expiresAtMs: row.expiresAtMs,
      // Read before the row: a change in between makes `confirm` look again, never the other way round.
      epoch,
    }
    const entry = { row, principal }
    entries.set(id, entry)
    return entry
  }

  function assertNotExpired(row: TokenRow, now: number): void {
    const today = currentExpiry?.(row.user)
    if (currentExpiry !== undefined && today === undefined) throw new Problem('invalid_token')
    const used = lastUsed.latest(row.id, row.lastUsedAtMs)
    if (hasExpired(row, today, used, now)) throw new Problem('expired_token')
  }

  function confirm(principal: Principal): void {
    if (store.epoch() === principal.epoch) return
    assertNotExpired(sameRow(principal), clock.now())
  }

  function sameRow(principal: Principal): TokenRow {
    const row = store.find(principal.tokenId)
    const same =
      row !== undefined &&
      row.revokedAtMs === undefined &&
      row.user === principal.user &&
      row.grantHash === principal.issuedHash
    if (!same) throw new Problem('invalid_token')
    return row
  }

  function recheck(principal: Principal): void {
    const epoch = store.epoch()
    let held = watched.get(principal)
    if (held?.epoch !== epoch) {
      held = { row: sameRow(principal), epoch }
      watched.set(principal, held)
    }
    const now = clock.now()
    assertNotExpired(held.row, now)
    noteOpen(held.row, now)
  }

  /** To listen is to use; in time for an idle limit shorter than the usual interval. */
  function noteOpen(row: TokenRow, now: number): void {
    const idle = earlier(row.idleMs, currentExpiry?.(row.user)?.idleMs) ?? Infinity
    const used = lastUsed.latest(row.id, row.lastUsedAtMs) ?? -Infinity
    if (Math.abs(now - used) >= Math.min(openNoteMs, idle / 2)) lastUsed.note(row.id, now)
  }

  return {
    authenticate: (token) => answering(() => authenticate(token)),
    confirm: (principal) => answering(() => confirm(principal)),
    recheck: (principal) => answering(() => recheck(principal)),
  }
}

/** A store that cannot be read denies (A13). */
function answering<T>(ask: () => T): T {
  try {
    return ask()
  } catch (error) {
    if (error instanceof Problem) throw error
    throw new Problem('store_unavailable', { cause: error, retryAfterS: 1 })
  }
}
