/** What a store keeps of tokens: hashes, ends, and the grants they were issued under. */

import type { StoredDefinition } from '../domain/grant.ts'
import type { MaybePromise } from '../lib/maybe-promise.ts'

export type TokenRow = {
  /** 12 characters, public. Of an adopted token random as well: the token itself has none. */
  id: string
  user: string
  kind: 'minted' | 'adopted'
  /** SHA-256 of the whole token, 32 bytes. */
  hash: Uint8Array
  grantHash: string
  createdAtMs: number
  /** Fixed at issue; later edits only shorten it. */
  expiresAtMs: number | undefined
  /** Refused until then; fixed at issue, later edits only move it out. */
  notBeforeMs: number | undefined
  idleMs: number | undefined
  lastUsedAtMs: number | undefined
  revokedAtMs: number | undefined
}

/** A token with all that a request needs to know of it, read by one indexed query. */
export type FoundToken = {
  row: TokenRow
  /** JSON of the grant it was issued under; `undefined` of revoked tokens. */
  grantJson: string | undefined
  /** Of an API user that lives in the store and was not displaced by the policy files. */
  stored: StoredDefinition | undefined
  suspended: boolean
}

/** Which token dies when another takes its place. */
export type Replacement = { row: TokenRow; grantJson: string; previous: string | undefined }

/** `by` everywhere: who does it, as `cli:NAME`, `operator:NAME`, `gate:NAME`, `self`. Errors: `TokenConflict` when a race was lost. */
export interface TokenStore {
  /** One indexed query. */
  find(id: string): MaybePromise<FoundToken | undefined>
  /** Adopted tokens only, which have no id of their own. One indexed query. */
  findAdopted(hash: Uint8Array): MaybePromise<FoundToken | undefined>
  live(user: string): Promise<TokenRow | undefined>
  /** Its valid one, else the last it had; two queries by index, however many it had. */
  newest(user: string): Promise<TokenRow | undefined>
  /** Newest first. `user`: of one API user. `live`: only those that are not revoked. */
  list(which?: { user?: string; live?: true }): Promise<TokenRow[]>
  /** Live tokens whose API user has no definition in the store: theirs must be in the policy files. */
  heldOutsideStore(): Promise<{ id: string; user: string }[]>
  /** Inserts as the user's only valid token and revokes the one before, in one transaction. */
  replace(token: Replacement, by: string): Promise<void>
  /** Same secret, new grant. @throws TokenConflict where `from` is no longer the grant it holds */
  extend(
    id: string,
    grant: { from: string; hash: string; json: string; expiresAtMs: number | undefined },
    by: string,
  ): Promise<void>
  /** False: it was not valid any more. */
  revoke(id: string, atMs: number, by: string): Promise<boolean>
  /** Uses change nobody's rights: no change is recorded. */
  touch(used: ReadonlyMap<string, number>): Promise<void>
}

/** The row changed under the caller: somebody else rotated, revoked or issued first. */
export class TokenConflict extends Error {
  override readonly name = 'TokenConflict'
}
