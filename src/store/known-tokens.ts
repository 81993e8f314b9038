/** Whose token this is: from memory while nothing has changed, else by one query; and the same token once more. */

import { hash, timingSafeEqual } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { Problem } from '../domain/problem.ts'
import { createChangedSince } from './changed-since.ts'
import { createGrantCache } from './grant-cache.ts'
import { inTime } from './in-time.ts'
import { couldBeCloudToken, parseToken } from './token-format.ts'
import { DeadToken } from './tokens.ts'
import type { Principal } from '../domain/principal.ts'
import { atMost } from '../lib/at-most.ts'
import type { MaybePromise } from '../lib/maybe-promise.ts'
import type { Store } from './store.ts'
import type { FoundToken, TokenRow } from './token-store.ts'

/** A live token as it was read. */
export type Held = {
  readonly row: TokenRow
  readonly principal: Principal
  readonly suspended: boolean
  /** When it was read, as `ChangedSince` counts. */
  readonly since: number
}

/** @throws Problem `invalid_token`, `store_unavailable` */
export type KnownTokens = Disposable & {
  /** `fresh`: not from memory. Wrong, unknown and revoked tokens are refused alike. */
  recognise(token: string, from: 'memory' | 'fresh'): MaybePromise<Held>
  /** How the token of this principal was last read, where nothing of its API user has changed since. */
  unchanged(principal: Principal): Held | undefined
  /** The same token from the store once more; `accept` throws where it is not what the principal stands for. */
  again(principal: Principal, accept: (found: Held) => void): MaybePromise<Held>
}

export type KnownTokensOptions = {
  store: Pick<Store, 'tokens' | 'changes'>
  cacheSize: number
}

/** Compared with where there is no row, so that an unknown id costs what a wrong secret costs (T11). */
const noHash = Buffer.alloc(32)
/** Tokens remembered as nobody's: a client that keeps trying one costs a query once. */
const maxStrangers = 4096

export function createKnownTokens({ store, cacheSize }: KnownTokensOptions): KnownTokens {
  const { tokens, changes } = store
  /** Minted tokens by public id, adopted ones by the hex of their hash, which is longer than any id. */
  const memory = new LRUCache<string, Held>(atMost(cacheSize))
  const grants = createGrantCache(cacheSize)
  const strangers = new LRUCache<string, true>(atMost(maxStrangers))
  let adoptions = 0
  const changed = createChangedSince({
    changes,
    maxUsers: cacheSize,
    onAdopted() {
      adoptions++
      strangers.clear()
    },
  })
  const digest = Buffer.alloc(32)
  /** For as long as somebody holds on to the principal, however many tokens there are. */
  const lastRead = new WeakMap<Principal, Held>()
  /** Reads under way: a thousand streams of one principal ask once. */
  const reading = new WeakMap<Principal, Promise<Held>>()

  function recognise(token: string, from: 'memory' | 'fresh'): MaybePromise<Held> {
    const parsed = parseToken(token, 'u')
    const id = parsed.result === 'ok' ? parsed.id : undefined
    if (id === undefined && !couldBeCloudToken(token)) throw new Problem('invalid_token')
    // Hex and one buffer for all cost half of a new buffer each time; it is copied before anything is awaited.
    const hex = hash('sha256', token)
    digest.write(hex, 'hex')
    const key = id ?? hex
    const held = memory.get(key)
    if (held !== undefined && from === 'memory' && changed.same(held.row.user, held.since)) {
      // A wrong secret goes on to the store like an unknown id: both take the same time (T11).
      if (timingSafeEqual(held.row.hash, digest)) return held
    }
    return id === undefined ? lookUpAdopted(hex) : lookUpMinted(id)
  }

  function lookUpMinted(id: string): MaybePromise<Held> {
    const expected = Buffer.from(digest)
    const since = changed.now()
    return inTime(
      () => tokens.find(id),
      (found) => keep(id, alive(found, 'minted', expected), since),
    )
  }

  function lookUpAdopted(hex: string): MaybePromise<Held> {
    if (strangers.has(hex)) throw new Problem('invalid_token')
    const expected = Buffer.from(digest)
    const since = changed.now()
    const before = adoptions
    return inTime(
      () => tokens.findAdopted(expected),
      (found) => {
        // Only what was nobody's all the time: it may have been adopted while it was looked for.
        if (found === undefined && before === adoptions) strangers.set(hex, true)
        return keep(hex, alive(found, 'adopted', expected), since)
      },
    )
  }

  function keep(key: string, found: FoundToken, since: number): Held {
    const held = toHeld(found, since)
    memory.set(key, held)
    lastRead.set(held.principal, held)
    return held
  }

  function toHeld({ row, grantJson, stored, suspended }: FoundToken, since: number): Held {
    // Every live token has its grant; without one there is nothing that it could be held to.
    if (grantJson === undefined) throw new Problem('store_unavailable', { retryAfterS: 1 })
    const principal: Principal = {
      user: row.user,
      tokenId: row.id,
      tokenKind: row.kind,
      issued: grants.get(row.grantHash, grantJson),
      issuedHash: row.grantHash,
      expiresAtMs: row.expiresAtMs,
      stored,
    }
    return { row, principal, suspended, since }
  }

  function unchanged(principal: Principal): Held | undefined {
    const held = lastRead.get(principal)
    return held !== undefined && changed.same(principal.user, held.since) ? held : undefined
  }

  function again(principal: Principal, accept: (found: Held) => void): MaybePromise<Held> {
    // What was changed while it was read, or since somebody else began to, is not in it.
    const settled = () => unchanged(principal) ?? again(principal, accept)
    const asked = reading.get(principal)
    if (asked !== undefined) return asked.then(settled)
    const since = changed.now()
    const read = inTime(
      () => tokens.find(principal.tokenId),
      (found) => {
        const held = toHeld(sameToken(found, principal), since)
        accept(held)
        lastRead.set(principal, held)
        return held
      },
    )
    if (!(read instanceof Promise)) return read
    const asking = read.finally(() => reading.delete(principal))
    reading.set(principal, asking)
    return asking.then(settled)
  }

  return {
    recognise,
    unchanged,
    again,
    [Symbol.dispose]: () => changed[Symbol.dispose](),
  }
}

function alive(
  found: FoundToken | undefined,
  kind: TokenRow['kind'],
  expected: Buffer,
): FoundToken {
  const right = timingSafeEqual(found?.row.hash ?? noHash, expected)
  if (!right || found === undefined || found.row.kind !== kind) throw new Problem('invalid_token')
  if (found.row.revokedAtMs !== undefined) throw new DeadToken()
  return found
}

/** Rotated, revoked, extended: not what it was, and the next try is authenticated anew. */
function sameToken(found: FoundToken | undefined, principal: Principal): FoundToken {
  const same =
    found !== undefined &&
    found.row.revokedAtMs === undefined &&
    found.row.kind === principal.tokenKind &&
    found.row.user === principal.user &&
    found.row.grantHash === principal.issuedHash
  if (!same) throw new Problem('invalid_token')
  return found
}
