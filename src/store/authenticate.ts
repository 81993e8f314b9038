/** From a bearer token to a principal, and the second look at it right before the request is served. */

import { Problem } from '../domain/problem.ts'
import { earlier, standingOf, type Standing } from './expiry.ts'
import { createKnownTokens, type Held } from './known-tokens.ts'
import type { Clock } from '../domain/clock.ts'
import type { StoredDefinition } from '../domain/grant.ts'
import type { Principal } from '../domain/principal.ts'
import type { MaybePromise } from '../lib/maybe-promise.ts'
import type { LastUsed } from './last-used.ts'
import type { Store } from './store.ts'
import { DeadToken, type Today, type Tokens } from './tokens.ts'

export type AuthenticatorOptions = {
  store: Pick<Store, 'tokens' | 'changes'>
  clock: Pick<Clock, 'now'>
  lastUsed: Pick<LastUsed, 'note' | 'latest'>
  cacheSize: number
  today?: Today
}

export type Authenticator = Disposable & Pick<Tokens, 'authenticate' | 'confirm' | 'recheck'>

type Stands = {
  standing: Standing
  /** How long it lives without use, as it is today. */
  idleMs: number | undefined
}

type IsUse = NonNullable<Parameters<Tokens['authenticate']>[1]>
const always = () => true

/** How often an open stream counts as a use of its token. */
const openNoteMs = 60_000

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { store, clock, lastUsed, today } = options
  const known = createKnownTokens(options)
  /** When an open stream last counted as a use. */
  const openNotes = new WeakMap<Principal, number>()

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

  function authenticate(token: string | undefined, isUse?: IsUse): MaybePromise<Principal> {
    if (token === undefined || token === '') throw new Problem('missing_token')
    lookAround()
    const found = known.recognise(token, 'memory')
    const settle = (each: Held) => admit(each, token, isUse)
    return found instanceof Promise ? found.then(settle) : settle(found)
  }

  function admit(found: Held, token: string, isUse: IsUse | undefined): MaybePromise<Principal> {
    const now = clock.now()
    const stands = standsNow(found, now)
    if (stands.standing === 'idle') return admitIdle(token, isUse)
    return admitAs(found, stands, now, isUse)
  }

  /** Another replica may have seen it used, and the store knows. */
  function admitIdle(token: string, isUse: IsUse | undefined): MaybePromise<Principal> {
    const settle = (each: Held) => {
      const now = clock.now()
      return admitAs(each, standsNow(each, now), now, isUse)
    }
    const found = known.recognise(token, 'fresh')
    return found instanceof Promise ? found.then(settle) : settle(found)
  }

  function admitAs(
    found: Held,
    { standing, idleMs }: Stands,
    now: number,
    isUse: IsUse = always,
  ): Principal {
    assertStanding(found, standing)
    if (isUse(found.principal)) lastUsed.note(found.row.id, now, idleMs)
    return found.principal
  }

  /** Only the holder of the right secret gets here, so only they learn how it stands. */
  function standsNow({ row, principal }: Held, now: number): Stands {
    const user = today?.(row.user, principal.stored)
    if (today !== undefined && user === undefined) throw new DeadToken()
    const used = lastUsed.latest(row.id, row.lastUsedAtMs)
    return {
      standing: standingOf(row, user?.expiry, used, now),
      idleMs: earlier(row.idleMs, user?.expiry.idleMs),
    }
  }

  function confirm(principal: Principal): MaybePromise<void> {
    lookAround()
    return usable(principal, () => undefined)
  }

  function recheck(principal: Principal): MaybePromise<void> {
    lookAround()
    return usable(principal, ({ row }, { idleMs }, now) => keepOpen(principal, row.id, idleMs, now))
  }

  function usable(
    principal: Principal,
    go: (found: Held, stands: Stands, now: number) => void,
  ): MaybePromise<void> {
    const settle = (found: Held, now: number, stands: Stands) => {
      assertStanding(found, stands.standing)
      go(found, stands, now)
    }
    const held = known.unchanged(principal)
    if (held !== undefined) {
      const now = clock.now()
      const stands = standsNow(held, now)
      // What was read long ago may not know of uses that this gate or another has written since.
      if (stands.standing !== 'idle') return settle(held, now, stands)
    }
    const settleNow = (found: Held) => {
      const now = clock.now()
      return settle(found, now, standsNow(found, now))
    }
    const found = readAgain(principal)
    return found instanceof Promise ? found.then(settleNow) : settleNow(found)
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

  /** To listen is to use; in time for an idle limit shorter than the usual interval. */
  function keepOpen(
    principal: Principal,
    id: string,
    idleMs: number | undefined,
    now: number,
  ): void {
    const used = lastUsed.latest(id, openNotes.get(principal)) ?? -Infinity
    if (Math.abs(now - used) < Math.min(openNoteMs, (idleMs ?? Infinity) / 2)) return
    openNotes.set(principal, now)
    lastUsed.note(id, now, idleMs)
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
