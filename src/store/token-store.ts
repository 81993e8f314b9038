/** What a store keeps: tokens and the grants they were issued under. SQLite stands behind it; others can. */

export type TokenRow = {
  /** 12 characters, public. */
  id: string
  user: string
  /** SHA-256 of the whole token, 32 bytes. */
  hash: Uint8Array
  grantHash: string
  createdAtMs: number
  /** Fixed at issue; later edits only shorten it. */
  expiresAtMs: number | undefined
  idleMs: number | undefined
  lastUsedAtMs: number | undefined
  revokedAtMs: number | undefined
}

/** Errors: `TokenConflict` when a race was lost; any driver error otherwise. */
export interface TokenStore extends Disposable {
  /** Changes whenever any process changed tokens or grants, at the latest when the turn is over; cheap enough to read twice a request. */
  epoch(): number
  /** One indexed look-up. */
  find(id: string): TokenRow | undefined
  list(): TokenRow[]
  live(user: string): TokenRow | undefined
  /** Inserts as the user's only valid token and revokes the one before, in one transaction. */
  replace(row: TokenRow, grantJson: string, previous: string | undefined): void
  /** Same secret, new grant. */
  extend(id: string, grantHash: string, grantJson: string, expiresAtMs: number | undefined): void
  revoke(id: string, atMs: number): boolean
  grant(hash: string): string | undefined
  touch(used: ReadonlyMap<string, number>): void
}

/** The row changed under the caller: somebody else rotated, revoked or issued first. */
export class TokenConflict extends Error {
  override readonly name = 'TokenConflict'
}
