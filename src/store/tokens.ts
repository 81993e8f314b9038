/** The contract of tokens: their life, and what a request does with one. */

import type { ApiUser, StoredDefinition } from '../domain/grant.ts'
import { Problem } from '../domain/problem.ts'
import type { Principal } from '../domain/principal.ts'
import type { MaybePromise } from '../lib/maybe-promise.ts'
import type { Secret } from '../lib/secret.ts'
import type { Replacement } from './token-store.ts'

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
  kind: 'minted' | 'adopted'
  state: 'valid' | 'not_yet_valid' | 'expired' | 'revoked'
  grantHash: string
  createdAtMs: number
  /** Of the row and of today's expiry the earlier; undefined: no fixed end. */
  expiresAtMs: number | undefined
  notBeforeMs: number | undefined
  idleMs: number | undefined
  lastUsedAtMs: number | undefined
  /** When it runs out if it is not used again: the earliest of its end and its idle limit. */
  endsAtMs: number | undefined
  revokedAtMs: number | undefined
}

/** Which token: an API user's valid one, or one by its public id. */
export type TokenSelector = { user: string } | { tokenId: string }

/** Today's API user of that name, from the policy files, else from its definition; `undefined`: none, its token is refused. */
export type Today = (user: string, stored: StoredDefinition | undefined) => ApiUser | undefined

/** What was asked makes no sense for this API user; the message is for an operator. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused'
}

/**
 * A token that was somebody's here and is nobody's now: revoked, replaced, or its API user is gone. The caller hears what
 * holders of unknown tokens hear; whoever takes in unknown ones must not take it for one of these.
 */
export class DeadToken extends Problem {
  constructor() {
    super('invalid_token')
  }
}

/** `by`: who does it, as `cli:NAME`, `operator:NAME`, `gate:NAME`, `self`; it stands in the record of the change. */
export interface Tokens extends AsyncDisposable {
  /**
   * @throws TokenConflict when there is a valid token already, or a race was lost; TokenRefused when it would be dead
   * at once, or would live longer than `tokens.max_lifetime`
   */
  issue(user: ApiUser, by: string): Promise<IssuedToken>
  /** The one before dies in the same transaction. @throws TokenConflict, TokenRefused as `issue` */
  rotate(user: ApiUser, by: string): Promise<IssuedToken>
  /**
   * Takes an existing token of the cloud as this API user's; only its hash is kept.
   * @throws TokenConflict as `issue`, and where another API user has adopted it; TokenRefused as `issue`, and for what
   * cannot be a token of the cloud (one of the gate's own, or too short to be a secret)
   */
  adopt(user: ApiUser, token: Secret, by: string): Promise<TokenInfo>
  /** Same secret, today's grant; the end never moves out. @throws TokenRefused when there is no valid token; TokenConflict */
  extend(user: ApiUser, by: string): Promise<TokenInfo>
  /** `undefined`: there was nothing to revoke. */
  revoke(which: TokenSelector, by: string): Promise<TokenInfo | undefined>
  /** A token made but not kept yet: for whoever changes an API user and its token in one transaction. @throws TokenRefused as `issue` */
  prepare(user: ApiUser, previous: string | undefined): { issued: IssuedToken; kept: Replacement }
  /** Of an API user: its valid one, else the last it had. */
  newest(user: string): Promise<TokenInfo | undefined>
  /** Newest first. */
  list(which?: { user?: string; live?: true }): Promise<TokenInfo[]>
  /** @throws Problem `missing_token`, `invalid_token` (`DeadToken` where it was one), `expired_token`, `token_not_yet_valid`, `suspended`, `store_unavailable` */
  authenticate(
    token: string | undefined,
    /** Whether that is a use of the token, which keeps it from its idle end; absent: it is. */
    isUse?: (principal: Principal) => boolean,
  ): MaybePromise<Principal>
  /**
   * To be awaited right before the forward: what was revoked, rotated, extended or suspended since `authenticate` is refused.
   * Nothing is waited for, so that the forward happens in the same turn, unless this API user was changed meanwhile.
   * @throws Problem as `authenticate`
   */
  confirm(principal: Principal): MaybePromise<void>
  /**
   * For what stays open: the same as `confirm`, and its expiry at this moment. Counts as a use of the token, noted at
   * most once a minute, or twice in its idle limit. Settles within a second.
   * @throws Problem as `authenticate`
   */
  recheck(principal: Principal): MaybePromise<void>
  /** Writes the last uses. @throws whatever the store throws; nothing is lost then */
  flush(): Promise<void>
}
