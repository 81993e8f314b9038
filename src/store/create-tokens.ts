/** The life of tokens: issued, adopted, rotated, extended, revoked, listed. What a request does with one is in `authenticate.ts`. */

import { hash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Secret } from '../lib/secret.ts'
import { createAuthenticator } from './authenticate.ts'
import { earlier, endOf, limitsOf, runsOutAt, standingOf } from './expiry.ts'
import { whyNotIssue } from './issue-limits.ts'
import { createLastUsed } from './last-used.ts'
import { couldBeCloudToken, mintId, mintToken, type RandomBytes } from './token-format.ts'
import { TokenConflict, type Replacement, type TokenRow } from './token-store.ts'
import { TokenRefused, type TokenInfo, type Today, type Tokens } from './tokens.ts'
import type { Clock } from '../domain/clock.ts'
import type { ApiUser, Expiry } from '../domain/grant.ts'
import type { Store } from './store.ts'

/** Rows looked at in one turn of the event loop: about a millisecond. */
const slice = 1_000

export type TokensOptions = {
  store: Pick<Store, 'tokens' | 'changes'>
  clock: Pick<Clock, 'now'>
  random: RandomBytes
  /** Tokens and issued grants kept in memory. */
  cacheSize: number
  lastUsedFlushMs: number
  /** Absent: there are no policies at hand, and each token counts as it was issued. */
  today?: Today
  /** Longest that a new token may live, milliseconds. */
  maxLifetimeMs?: number | undefined
  /** The last uses could not be written; they will be tried again. */
  onFlushFailure?: (error: unknown) => void
}

type Secretless = Pick<TokenRow, 'id' | 'kind' | 'hash'>

export function createTokens(options: TokensOptions): Tokens {
  const { clock, random, today, maxLifetimeMs } = options
  const store = options.store.tokens
  const lastUsed = createLastUsed({
    store,
    flushMs: options.lastUsedFlushMs,
    onFailure: options.onFlushFailure ?? (() => undefined),
  })
  const authenticator = createAuthenticator({ ...options, lastUsed })

  function stateOf(row: TokenRow, expiry: Expiry | undefined): TokenInfo['state'] {
    if (row.revokedAtMs !== undefined) return 'revoked'
    const used = lastUsed.latest(row.id, row.lastUsedAtMs)
    const standing = standingOf(row, expiry, used, clock.now())
    return standing === 'ended' || standing === 'idle' ? 'expired' : standing
  }

  function info(row: TokenRow, expiry: Expiry | undefined): TokenInfo {
    const lastUsedAtMs = lastUsed.latest(row.id, row.lastUsedAtMs)
    const { id: tokenId, user, kind, grantHash, createdAtMs, revokedAtMs } = row
    return {
      ...{ tokenId, user, kind, grantHash, createdAtMs, lastUsedAtMs, revokedAtMs },
      ...limitsOf(row, expiry),
      state: stateOf(row, expiry),
      endsAtMs: runsOutAt(row, expiry, lastUsedAtMs),
    }
  }

  /** Those of API users in the store end as was fixed at issue: whoever changes their expiry replaces the token. */
  function infoToday(row: TokenRow): TokenInfo {
    return info(row, today?.(row.user, undefined)?.expiry)
  }

  function newRow(user: ApiUser, secretless: Secretless): TokenRow {
    const createdAtMs = clock.now()
    const why = whyNotIssue(user, createdAtMs, maxLifetimeMs)
    if (why !== undefined) throw new TokenRefused(why)
    return {
      ...secretless,
      user: user.name,
      grantHash: user.grantHash,
      createdAtMs,
      expiresAtMs: endOf(user.expiry, createdAtMs),
      notBeforeMs: user.expiry.notBeforeMs,
      idleMs: user.expiry.idleMs,
      lastUsedAtMs: undefined,
      revokedAtMs: undefined,
    }
  }

  const prepare: Tokens['prepare'] = (user, previous) => {
    const { token, id } = mintToken('u', random)
    const row = newRow(user, { id, kind: 'minted', hash: hash('sha256', token, 'buffer') })
    const { user: name, expiresAtMs } = row
    return {
      issued: { token: new Secret(token), tokenId: id, user: name, expiresAtMs },
      kept: keptWith(row, user, previous),
    }
  }

  /** The one that a first token may take the place of. @throws TokenConflict where it is alive */
  async function deadOne(user: ApiUser, instead: string): Promise<string | undefined> {
    const live = await store.live(user.name)
    if (live === undefined || stateOf(live, user.expiry) === 'expired') return live?.id
    throw new TokenConflict(`${user.name} has a valid token already; ${instead}.`)
  }

  return {
    prepare,
    async issue(user, by) {
      const { issued, kept } = prepare(user, await deadOne(user, 'rotate it to get a new one'))
      await store.replace(kept, by)
      return issued
    },
    async rotate(user, by) {
      const live = await store.live(user.name)
      if (live === undefined) {
        throw new TokenRefused(`${user.name} has no token to rotate; issue one.`)
      }
      const { issued, kept } = prepare(user, live.id)
      await store.replace(kept, by)
      return issued
    },
    async adopt(user, token, by) {
      const plain = token.reveal()
      if (!couldBeCloudToken(plain)) {
        throw new TokenRefused(
          "This is no token of the cloud that could be adopted: 16 to 512 letters, digits and -._~+/, and none of the gate's own.",
        )
      }
      const row = newRow(user, {
        id: mintId(random),
        kind: 'adopted',
        hash: hash('sha256', plain, 'buffer'),
      })
      const other = await store.findAdopted(row.hash)
      if (other !== undefined && other.row.revokedAtMs === undefined) {
        throw new TokenConflict(`${other.row.user} has adopted this token already.`)
      }
      const previous = await deadOne(user, 'revoke it first, and adopt then')
      await store.replace(keptWith(row, user, previous), by)
      return info(row, user.expiry)
    },
    async extend(user, by) {
      const live = await store.live(user.name)
      if (live === undefined || stateOf(live, user.expiry) === 'expired') {
        throw new TokenRefused(`${user.name} has no valid token to extend; issue one.`)
      }
      const expiresAtMs = earlier(live.expiresAtMs, endOf(user.expiry, live.createdAtMs))
      const { grantHash } = user
      const json = JSON.stringify(user.grant)
      await store.extend(live.id, { from: live.grantHash, hash: grantHash, json, expiresAtMs }, by)
      return info({ ...live, grantHash, expiresAtMs }, user.expiry)
    },
    async revoke(which, by) {
      const row = await ('user' in which
        ? store.live(which.user)
        : Promise.resolve(store.find(which.tokenId)).then((found) => found?.row))
      const atMs = clock.now()
      if (row === undefined || !(await store.revoke(row.id, atMs, by))) return undefined
      return infoToday({ ...row, revokedAtMs: atMs })
    },
    async newest(user) {
      const row = await store.newest(user)
      return row && infoToday(row)
    },
    async list(which) {
      const rows = await store.list(which)
      const infos: TokenInfo[] = []
      for (const row of rows) {
        infos.push(infoToday(row))
        // oxlint-disable-next-line no-await-in-loop -- requests get their turn in between
        if (infos.length % slice === 0) await nextTurn()
      }
      return infos
    },
    authenticate: (token, isUse) => authenticator.authenticate(token, isUse),
    confirm: (principal) => authenticator.confirm(principal),
    recheck: (principal) => authenticator.recheck(principal),
    flush: () => lastUsed.flush(),
    async [Symbol.asyncDispose]() {
      authenticator[Symbol.dispose]()
      await lastUsed[Symbol.asyncDispose]()
    },
  }
}

function keptWith(row: TokenRow, user: ApiUser, previous: string | undefined): Replacement {
  return { row, grantJson: JSON.stringify(user.grant), previous }
}
