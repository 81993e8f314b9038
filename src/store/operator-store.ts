/** What a store keeps of operators: people and automation that administer API users, by tokens of their own kind. */

export type OperatorRole = 'viewer' | 'editor' | 'owner'

export type OperatorRow = {
  /** Public id of its token, 12 characters. */
  id: string
  name: string
  role: OperatorRole
  /** Only API users inside this product; absent: all. */
  product: string | undefined
  /** SHA-256 of the whole token, 32 bytes. */
  hash: Uint8Array
  /** `oidc`: made at sign-in, and short-lived. */
  via: 'token' | 'oidc'
  createdAtMs: number
  createdBy: string
  expiresAtMs: number | undefined
  revokedAtMs: number | undefined
}

/** `last_owner`: it was left as it is. */
export type OperatorRevocation = 'revoked' | 'not_valid' | 'last_owner'

/** Errors: `OperatorConflict` when an operator of that name holds a valid token already (`via: token` only). */
export interface OperatorStore {
  find(id: string): Promise<OperatorRow | undefined>
  /** Newest first; expired sign-ins are left out. */
  list(): Promise<OperatorRow[]>
  create(row: OperatorRow, by: string): Promise<void>
  /** Whoever it is. False: it was not valid any more. */
  revoke(id: string, atMs: number, by: string): Promise<boolean>
  /**
   * Not where nobody else would be owner of everything by a token of their own: a sign-in hangs on a provider that may
   * be gone. Looked up and done in one transaction, so that two owners at two gates cannot revoke each other.
   */
  revokeUnlessLast(id: string, atMs: number, by: string): Promise<OperatorRevocation>
}

export class OperatorConflict extends Error {
  override readonly name = 'OperatorConflict'
}
