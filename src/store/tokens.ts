/** The life of tokens: issued, rotated, extended, revoked, listed. What a request does with one is in `authenticate.ts`. */

import { hash } from 'node:crypto'
import { createAuthenticator } from './authenticate.ts'
import { earlier, endOf, hasExpired } from './expiry.ts'
import { createLastUsed } from './last-used.ts'
import { mintToken } from './token-format.ts'
import { TokenConflict } from './token-store.ts'
import { Secret } from '../lib/secret.ts'
import type { Clock } from '../domain/clock.ts'
import type { ApiUser, Expiry } from '../domain/grant.ts'
import type { Principal } from '../domain/principal.ts'
import type { RandomBytes } from './token-format.ts'
import type { TokenRow, TokenStore } from './token-store.ts'

export type TokensOptions = {
  store: TokenStore
  clock: Pick<Clock, 'now'>
  random: RandomBytes
  /** Tokens and grants kept in memory. */
  cacheSize: number
  lastUsedFlushMs: number
  /** Today's expiry of an API user; `undefined`: no such user, its token is refused. Absent: rows alone count. */
  currentExpiry?: (user: string) => Expiry | undefined
  /** A batch of last uses could not be written; it will be tried again. */
  onFlushFailure?: (error: unknown) => void
}

/** The plain token leaves here and nowhere else, once. */
export type IssuedToken = {
  token: Secret
  tokenId: string
  user: string
  expiresAtMs: number | undefined
}

export type TokenInfo = {
  tokenId: string
  user: string
  state: 'valid' | 'expired' | 'revoked'
  grantHash: string
  createdAtMs: number
  expiresAtMs: number | undefined
  idleMs: number | undefined
  lastUsedAtMs: number | undefined
  revokedAtMs: number | undefined
}

/** Which token: an API user's valid one, or one by its public id. */
export type TokenSelector = { user: string } | { tokenId: string }

/** What was asked makes no sense for this API user; the message is for an operator. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused'
}

export interface Tokens extends Disposable {
  /** @throws TokenConflict when there is a valid token already, or a race was lost; TokenRefused when it would be dead at once */
  issue(user: ApiUser): IssuedToken
  /** The one before dies in the same transaction. @throws TokenConflict, TokenRefused as `issue` */
  rotate(user: ApiUser): IssuedToken
  /** Same secret, today's grant; the end never moves out. @throws TokenRefused when there is no valid token; TokenConflict */
  extend(user: ApiUser): TokenInfo
  /** `undefined`: there was nothing to revoke. */
  revoke(which: TokenSelector): TokenInfo | undefined
  list(): TokenInfo[]
  /** @throws Problem `missing_token`, `invalid_token`, `expired_token`, `store_unavailable` */
  authenticate(token: string | undefined): Principal
  /**
   * To be called in the same turn as the forward: what was revoked, rotated or extended since `authenticate` is refused.
   * @throws Problem `invalid_token`, `expired_token`, `store_unavailable`
   */
  confirm(principal: Principal): void
  /**
   * For what stays open: the same as `confirm`, and its expiry at this moment, cheap as long as no token was changed.
   * Counts as a use of the token, noted at most once a minute, or twice in its idle limit.
   * @throws Problem `invalid_token`, `expired_token`, `store_unavailable`
   */
  recheck(principal: Principal): void
  /** Revokes the tokens of all API users that are not in the set; returns what it revoked. */
  revokeMissing(users: ReadonlySet<string>): TokenInfo[]
  /** Writes the last uses. @throws whatever the store throws; nothing is lost then */
  flush(): void
}

export function createTokens(options: TokensOptions): Tokens {
  const { store, clock, random, currentExpiry } = options
  const lastUsed = createLastUsed({
    store,
    flushMs: options.lastUsedFlushMs,
    onFailure: options.onFlushFailure ?? (() => undefined),
  })
  const authenticator = createAuthenticator({ ...options, lastUsed })

  function expired(row: TokenRow): boolean {
    const used = lastUsed.latest(row.id, row.lastUsedAtMs)
    return hasExpired(row, currentExpiry?.(row.user), used, clock.now())
  }

  function info(row: TokenRow): TokenInfo {
    const { id, hash: _hash, lastUsedAtMs, ...rest } = row
    const ran = row.revokedAtMs === undefined ? (expired(row) ? 'expired' : 'valid') : 'revoked'
    return { ...rest, tokenId: id, state: ran, lastUsedAtMs: lastUsed.latest(id, lastUsedAtMs) }
  }

  function replace(user: ApiUser, previous: TokenRow | undefined): IssuedToken {
    const createdAtMs = clock.now()
    const expiresAtMs = endOf(user.expiry, createdAtMs)
    if (expiresAtMs !== undefined && expiresAtMs <= createdAtMs) {
      throw new TokenRefused(
        `${user.name} expired on ${new Date(expiresAtMs).toISOString()}; set a later date first.`,
      )
    }
    const { token, id } = mintToken('u', random)
    const row: TokenRow = {
      id,
      user: user.name,
      hash: hash('sha256', token, 'buffer'),
      grantHash: user.grantHash,
      createdAtMs,
      expiresAtMs,
      idleMs: user.expiry.idleMs,
      lastUsedAtMs: undefined,
      revokedAtMs: undefined,
    }
    store.replace(row, JSON.stringify(user.grant), previous?.id)
    return { token: new Secret(token), tokenId: id, user: user.name, expiresAtMs }
  }

  function revokeRow(row: TokenRow | undefined): TokenInfo | undefined {
    const atMs = clock.now()
    if (row === undefined || !store.revoke(row.id, atMs)) return undefined
    return info({ ...row, revokedAtMs: atMs })
  }

  return {
    issue(user) {
      const live = store.live(user.name)
      if (live !== undefined && !expired(live)) {
        throw new TokenConflict(
          `${user.name} has a valid token already; rotate it to get a new one.`,
        )
      }
      return replace(user, live)
    },
    rotate(user) {
      const live = store.live(user.name)
      if (live === undefined)
        throw new TokenRefused(`${user.name} has no token to rotate; issue one.`)
      return replace(user, live)
    },
    extend(user) {
      const live = store.live(user.name)
      if (live === undefined || expired(live)) {
        throw new TokenRefused(`${user.name} has no valid token to extend; issue one.`)
      }
      const expiresAtMs = earlier(live.expiresAtMs, endOf(user.expiry, live.createdAtMs))
      store.extend(live.id, user.grantHash, JSON.stringify(user.grant), expiresAtMs)
      return info({ ...live, grantHash: user.grantHash, expiresAtMs })
    },
    revoke: (which) =>
      revokeRow('user' in which ? store.live(which.user) : store.find(which.tokenId)),
    list: () => store.list().map(info),
    authenticate: (token) => authenticator.authenticate(token),
    confirm: (principal) => authenticator.confirm(principal),
    recheck: (principal) => authenticator.recheck(principal),
    revokeMissing: (users) =>
      store
        .list()
        .filter((row) => row.revokedAtMs === undefined && !users.has(row.user))
        .flatMap((row) => revokeRow(row) ?? []),
    flush: () => lastUsed.flush(),
    [Symbol.dispose]() {
      lastUsed[Symbol.dispose]()
      lastUsed.flush()
    },
  }
}
