/** From a bearer token to a principal, and the second look at it right before the request is served. */

import { Problem } from '../domain/problem.ts'
import { limitsOf, standingOf, type Standing } from './expiry.ts'
import { createKnownTokens, type Held } from './known-tokens.ts'
import type { Clock } from '../domain/clock.ts'
import type { StoredDefinition } from '../domain/grant.ts'
import type { Principal } from '../domain/principal.ts'
import type { MaybePromise } from '../lib/maybe-promise.ts'
import type { LastUsed } from './last-used.ts'
import type { Store } from './store.ts'
import type { Today, Tokens } from './tokens.ts'

export type AuthenticatorOptions = {
  store: Pick<Store, 'tokens' | 'changes'>
  clock: Pick<Clock, 'now'>
  lastUsed: Pick<LastUsed, 'note' | 'latest'>
  cacheSize: number
  today?: Today
}

export type Authenticator = Disposable & Pick<Tokens, 'authenticate' | 'confirm' | 'recheck'>

/** How often an open stream counts as a use of its token. */
const openNoteMs = 60_000

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { store, clock, lastUsed, today } = options
  const known = createKnownTokens(options)

  /** What others have changed is taken in, and what is in memory may be believed, or nobody is served. */
  function lookAround(): void {
    try {
      store.changes.look()
      store.changes.assertFresh()
    } catch (error) {
      if (error instanceof Problem) throw error
      throw new Problem('store_unavailable', { cause: error, retryAfterS: 1 })
    }
  }

  function authenticate(token: string | undefined): MaybePromise<Principal> {
    if (token === undefined || token === '') throw new Problem('missing_token')
    lookAround()
    const found = known.recognise(token, 'memory')
    return found instanceof Promise ? found.then((each) => admit(each, token)) : admit(found, token)
  }

  function admit(found: Held, token: string): MaybePromise<Principal> {
    const now = clock.now()
    const standing = standingNow(found, now)
    if (standing === 'idle') return admitIdle(token)
    return admitAs(found, standing, now)
  }

  /** Another replica may have seen it used, and the store knows. */
  function admitIdle(token: string): MaybePromise<Principal> {
    const settle = (each: Held) => {
      const now = clock.now()
      return admitAs(each, standingNow(each, now), now)
    }
    const found = known.recognise(token, 'fresh')
    return found instanceof Promise ? found.then(settle) : settle(found)
  }

  function admitAs(found: Held, standing: Standing, now: number): Principal {
    assertStanding(found, standing)
    lastUsed.note(found.row.id, now)
    return found.principal
  }

  /** Only the holder of the right secret gets here, so only they learn how it stands. */
  function standingNow({ row, principal }: Held, now: number): Standing {
    const user = today?.(row.user, principal.stored)
    if (today !== undefined && user === undefined) throw new Problem('invalid_token')
    const used = lastUsed.latest(row.id, row.lastUsedAtMs)
    return standingOf(row, user?.expiry, used, now)
  }

  function confirm(principal: Principal): MaybePromise<void> {
    lookAround()
    const found = known.unchanged(principal) ?? readAgain(principal)
    return found instanceof Promise ? found.then(assertUsable) : assertUsable(found)
  }

  function recheck(principal: Principal): MaybePromise<void> {
    lookAround()
    const found = known.unchanged(principal) ?? readAgain(principal)
    return found instanceof Promise ? found.then(keepOpen) : keepOpen(found)
  }

  function readAgain(principal: Principal): MaybePromise<Held> {
    return known.again(principal, ({ principal: { user, stored } }) => {
      if (!sameRights(user, principal.stored, stored)) throw new Problem('invalid_token')
    })
  }

  /** A definition that was edited in its words alone leaves what was decided under it true. */
  function sameRights(
    user: string,
    before: StoredDefinition | undefined,
    after: StoredDefinition | undefined,
  ): boolean {
    if (before?.version === after?.version) return true
    const was = today?.(user, before)
    const is = today?.(user, after)
    if (was === undefined || is === undefined) return false
    return was.grantHash === is.grantHash && was.observeUntilMs === is.observeUntilMs
  }

  function assertUsable(found: Held): void {
    assertStanding(found, standingNow(found, clock.now()))
  }

  /** To listen is to use; in time for an idle limit shorter than the usual interval. */
  function keepOpen(found: Held): void {
    const { row, principal } = found
    const now = clock.now()
    assertStanding(found, standingNow(found, now))
    const idle = limitsOf(row, today?.(row.user, principal.stored)?.expiry).idleMs ?? Infinity
    const used = lastUsed.latest(row.id, row.lastUsedAtMs) ?? -Infinity
    if (Math.abs(now - used) >= Math.min(openNoteMs, idle / 2)) lastUsed.note(row.id, now)
  }

  return {
    authenticate,
    confirm,
    recheck,
    [Symbol.dispose]: () => known[Symbol.dispose](),
  }
}

function assertStanding({ suspended }: Held, standing: Standing): void {
  switch (standing) {
    case 'ended':
    case 'idle':
      throw new Problem('expired_token')
    case 'not_yet_valid':
      throw new Problem('token_not_yet_valid')
    case 'valid':
      if (suspended) throw new Problem('suspended')
  }
}
