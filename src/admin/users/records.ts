/** What is known of an API user, put together from policy files, store and token: read afresh for each request. */

import { hash } from 'node:crypto'
import type { ApiUser } from '../../domain/grant.ts'
import type { PolicyEngine } from '../../policy/policy-engine.ts'
import type { Store } from '../../store/store.ts'
import type { TokenInfo, Tokens } from '../../store/tokens.ts'
import type { Suspension, UserRow } from '../../store/user-store.ts'
import type { ApiUserRecord } from '../api-users.ts'
import { parseDefinition } from './definition.ts'

export type RecordParts = {
  store: { users: Pick<Store['users'], 'get'> }
  tokens: Pick<Tokens, 'newest'>
  policy: Pick<PolicyEngine, 'user' | 'compile'>
}

/** A record with the place it is bound to, which outlives a definition that does not fit any more. */
export type Found = { record: ApiUserRecord; place: UserRow['place'] }

export type Records = {
  /** `undefined`: neither the policy files nor the store know the name. */
  find(name: string): Promise<Found | undefined>
  ofGit(user: ApiUser, suspended: Suspension | undefined): Promise<Found>
  ofStore(row: UserRow): Promise<Found>
  /** The same, where its token is known. */
  withToken(row: UserRow, token: TokenInfo | undefined): Found
}

export function createRecords({ store, tokens, policy }: RecordParts): Records {
  async function find(name: string): Promise<Found | undefined> {
    const row = await store.users.get(name)
    const git = policy.user(name)
    if (git !== undefined) return fromGit(git, row?.suspended, row, await tokens.newest(name))
    return row?.stored === undefined ? undefined : ofStore(row)
  }

  async function ofStore(row: UserRow): Promise<Found> {
    return fromStore(row, policy, await tokens.newest(row.name))
  }

  return {
    find,
    ofStore,
    withToken: (row, token) => fromStore(row, policy, token),
    ofGit: async (user, suspended) =>
      fromGit(user, suspended, undefined, await tokens.newest(user.name)),
  }
}

export function placeOf({ grant: { boundary } }: ApiUser): UserRow['place'] {
  return boundary.kind === 'organization'
    ? { products: [], organization: boundary.organization }
    : { products: boundary.products, organization: undefined }
}

function fromGit(
  user: ApiUser,
  suspended: Suspension | undefined,
  row: UserRow | undefined,
  token: TokenInfo | undefined,
): Found {
  const record = {
    name: user.name,
    home: 'git' as const,
    definition: undefined,
    user,
    mistakes: [],
    version: 0,
    suspended,
    // A definition of that name waits in the store, and counts for nothing.
    displacedAtMs: row?.displacedAtMs,
    token,
    createdAtMs: undefined,
    updatedAtMs: undefined,
  }
  return { record: { ...record, etag: etagOf(record) }, place: placeOf(user) }
}

function fromStore(
  row: UserRow,
  policy: RecordParts['policy'],
  token: TokenInfo | undefined,
): Found {
  const { name, stored, suspended, displacedAtMs, createdAtMs, updatedAtMs } = row
  if (stored === undefined) throw new Error('A row without a definition is no API user.')
  const inForce = displacedAtMs === undefined ? policy.user(name, stored) : undefined
  const compiled = inForce === undefined ? policy.compile(name, stored.definition) : undefined
  const record = {
    name,
    home: 'store' as const,
    definition: parseDefinition(stored.definition),
    user: inForce,
    mistakes: compiled?.ok === false ? compiled.mistakes : [],
    version: stored.version,
    suspended,
    displacedAtMs,
    token,
    createdAtMs,
    updatedAtMs,
  }
  return { record: { ...record, etag: etagOf(record) }, place: row.place }
}

/** As it stands once its token or suspension is another one. */
export function changedTo(
  record: ApiUserRecord,
  change: Partial<Pick<ApiUserRecord, 'token' | 'suspended'>>,
): ApiUserRecord {
  const changed = { ...record, ...change }
  return { ...changed, etag: etagOf(changed) }
}

/** RFC 9110 §8.8.3, strong: another one as soon as anything is different that an operator may have looked at. */
function etagOf(record: Omit<ApiUserRecord, 'etag'>): string {
  const { home, user, version, createdAtMs, suspended, displacedAtMs, token } = record
  const state = [
    [home, version, createdAtMs, user?.grantHash, user?.expiry, user?.observeUntilMs],
    [suspended?.atMs, displacedAtMs],
    [token?.tokenId, token?.grantHash, token?.revokedAtMs],
  ]
  return `"${hash('sha256', JSON.stringify(state), 'base64url').slice(0, 22)}"`
}
