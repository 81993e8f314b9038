/** The contract of what operators do with API users, whichever door they come by: checked, bounded, recorded, then done. */

import type { ApiUser } from '../domain/grant.ts'
import type { Mistake } from '../lib/mistake.ts'
import type { IssuedToken, TokenInfo } from '../store/tokens.ts'
import type { Suspension } from '../store/user-store.ts'
import type { AdminRequest } from './operation.ts'

/** Who asks, for bounds and for the record. */
export type Actor = Pick<AdminRequest, 'operator' | 'requestId' | 'address' | 'agent'>

export type ApiUserRecord = {
  name: string
  home: 'git' | 'store'
  /** As an operator wrote it, parsed; absent of those in the policy files. */
  definition: Readonly<Record<string, unknown>> | undefined
  /** Compiled under the policies in force; absent where it does not fit them any more. */
  user: ApiUser | undefined
  /** Why not. */
  mistakes: readonly Mistake[]
  /** 0: of the policy files. */
  version: number
  /** Of the whole record, token and suspension too: what ETag says. */
  etag: string
  suspended: Suspension | undefined
  displacedAtMs: number | undefined
  /** Its newest, valid or not; absent: it never had one. */
  token: TokenInfo | undefined
  createdAtMs: number | undefined
  updatedAtMs: number | undefined
}

export type ApiUserQuery = {
  search?: string
  product?: string
  organization?: string
  state?: 'valid' | 'expired' | 'suspended' | 'no_token' | 'expires_soon'
  /** 1 is the first. */
  page: number
  perPage: number
}

/** With `token` where a new one was made: shown this once. */
export type Changed = { record: ApiUserRecord; token: IssuedToken | undefined }

/**
 * Outside an operator's product there is nothing. Every change is on the audit log before it is made, with before and after.
 * @throws Problem `not_found`, `conflict`, `precondition_failed`, `unprocessable` (with what is wrong), `role_forbids`,
 * `audit_unavailable`, `store_unavailable`
 */
export interface ApiUsers {
  get(actor: Actor, name: string): Promise<ApiUserRecord>
  page(actor: Actor, query: ApiUserQuery): Promise<{ records: ApiUserRecord[]; total: number }>
  /** @param token whether its first token is made as well */
  create(
    actor: Actor,
    name: string,
    definition: Readonly<Record<string, unknown>>,
    token: 'issue' | 'none',
  ): Promise<Changed>
  /** Where its rights or its end change, a new token takes the place of its valid one. `ifMatch`: absent only for the cloud's own team API. */
  update(
    actor: Actor,
    name: string,
    definition: Readonly<Record<string, unknown>>,
    ifMatch: string | undefined,
  ): Promise<Changed>
  delete(actor: Actor, name: string, ifMatch: string | undefined): Promise<void>
  suspend(actor: Actor, name: string, because: string): Promise<ApiUserRecord>
  resume(actor: Actor, name: string): Promise<ApiUserRecord>
  /** Its first token, or a new one in the place of the one it has. */
  rotate(actor: Actor, name: string): Promise<Changed & { token: IssuedToken }>
  extend(actor: Actor, name: string): Promise<ApiUserRecord>
  revoke(actor: Actor, name: string): Promise<ApiUserRecord>
}
