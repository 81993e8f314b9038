/** What leaves the process of an API user: an explicit list, so that a new key cannot slip out. */

import { endsSoon } from '../../store/expiry.ts'
import type { ApiUser, Boundary, Expiry } from '../../domain/grant.ts'
import { z } from '../../lib/shape.ts'
import type { IssuedToken, TokenInfo } from '../../store/tokens.ts'
import type { ApiUserRecord } from '../api-users.ts'
import { faultsOf } from './definition.ts'

export const states = [
  'valid',
  'expires_soon',
  'not_yet_valid',
  'expired',
  'no_token',
  'suspended',
  'displaced',
  'unfit',
] as const

export type UserState = (typeof states)[number]

const when = () => z.iso.datetime()

const boundaryView = z.strictObject({
  products: z.array(z.string()).optional(),
  organization: z.string().optional(),
})

const expiryView = z.strictObject({
  kind: z.enum(['never', 'date', 'lifetime', 'idle']),
  at: when().optional(),
  lifetime_ms: z.int().optional(),
  idle_ms: z.int().optional(),
  not_before: when().optional(),
})

const tokenView = z
  .strictObject({
    id: z.string().meta({ description: 'Public; the token itself is not kept' }),
    kind: z.enum(['minted', 'adopted']),
    state: z.enum(['valid', 'not_yet_valid', 'expired', 'revoked']),
    grant: z.string().meta({ description: 'Hash of the grant it was issued under' }),
    created_at: when(),
    not_before: when().optional(),
    expires_at: when().optional(),
    ends_at: when()
      .optional()
      .meta({ description: 'If it is not used again: the earlier of its end and its idle limit' }),
    expires_soon: z.boolean(),
    last_used_at: when().optional(),
    revoked_at: when().optional(),
  })
  .meta({ id: 'Token' })

export const userView = z
  .strictObject({
    name: z.string(),
    home: z.enum(['git', 'store']),
    state: z.enum(states),
    owner: z.string().optional(),
    description: z.string().optional(),
    file: z.string().optional().meta({ description: 'Where the policy files define it' }),
    boundary: boundaryView.optional(),
    expiry: expiryView.optional(),
    observe_until: when().optional().meta({ description: 'Until then nothing is refused' }),
    grant: z.string().optional().meta({ description: 'Hash of what it may do today' }),
    definition: z
      .record(z.string(), z.unknown())
      .optional()
      .meta({ description: 'As an operator wrote it; absent of those in the policy files' }),
    mistakes: z
      .array(z.strictObject({ detail: z.string(), pointer: z.string().optional() }))
      .optional()
      .meta({ description: 'Why its definition does not hold under the policies in force' }),
    version: z.int(),
    suspended: z.strictObject({ at: when(), by: z.string(), because: z.string() }).optional(),
    displaced_at: when()
      .optional()
      .meta({ description: 'The policy files took its name; update it to bring it back' }),
    token: tokenView.optional(),
    created_at: when().optional(),
    updated_at: when().optional(),
  })
  .meta({ id: 'ApiUser' })

export const issuedView = z
  .strictObject({
    id: z.string(),
    token: z.string().meta({ description: 'Shown this once' }),
    expires_at: when().optional(),
  })
  .meta({ id: 'IssuedToken' })

export type Times = { nowMs: number; warnBeforeMs: number }

export function toUserView(record: ApiUserRecord, times: Times): z.infer<typeof userView> {
  const { name, home, user, definition, mistakes, suspended, displacedAtMs, token } = record
  return {
    ...{ name, home, state: stateOf(record, times), version: record.version },
    ...(user !== undefined && ofUser(user)),
    ...(home === 'git' &&
      user !== undefined && { file: `${user.origin.file}:${user.origin.line}` }),
    ...(definition !== undefined && { definition: { ...definition } }),
    ...(mistakes.length > 0 && { mistakes: faultsOf(mistakes, definition ?? {}) }),
    ...(suspended !== undefined && {
      suspended: { at: iso(suspended.atMs), by: suspended.by, because: suspended.because },
    }),
    ...at('displaced_at', displacedAtMs),
    ...(token !== undefined && { token: toTokenView(token, times) }),
    ...at('created_at', record.createdAtMs),
    ...at('updated_at', record.updatedAtMs),
  }
}

export function toIssuedView({ token, tokenId, expiresAtMs }: IssuedToken) {
  return { id: tokenId, token: token.reveal(), ...at('expires_at', expiresAtMs) }
}

/** The one word that says best how it stands. */
export function stateOf(
  { home, user, suspended, displacedAtMs, token }: ApiUserRecord,
  times: Times,
): UserState {
  if (home === 'store' && displacedAtMs !== undefined) return 'displaced'
  if (user === undefined) return 'unfit'
  if (suspended !== undefined) return 'suspended'
  return stateOfToken(token, times)
}

export function stateOfToken(token: TokenInfo | undefined, times: Times) {
  if (token === undefined || token.state === 'revoked') return 'no_token'
  return endsSoon(token, times) ? 'expires_soon' : token.state
}

export function iso(ms: number): string {
  return new Date(ms).toISOString()
}

/** Nothing at all where there is no such time. */
export function at<K extends string>(key: K, ms: number | undefined): { [key in K]?: string } {
  const found: { [key in K]?: string } = {}
  if (ms !== undefined) found[key] = iso(ms)
  return found
}

function ofUser({ owner, description, grant, grantHash, expiry, observeUntilMs }: ApiUser) {
  return {
    ...(owner !== undefined && { owner }),
    ...(description !== undefined && { description }),
    boundary: toBoundaryView(grant.boundary),
    expiry: toExpiryView(expiry),
    grant: grantHash,
    ...at('observe_until', observeUntilMs),
  }
}

export function toBoundaryView(boundary: Boundary): z.infer<typeof boundaryView> {
  return boundary.kind === 'organization'
    ? { organization: boundary.organization }
    : { products: [...boundary.products] }
}

export function toExpiryView(expiry: Expiry): z.infer<typeof expiryView> {
  return {
    kind: expiry.kind,
    ...(expiry.kind === 'date' && { at: iso(expiry.atMs) }),
    ...(expiry.kind === 'lifetime' && { lifetime_ms: expiry.lifetimeMs }),
    ...(expiry.idleMs !== undefined && { idle_ms: expiry.idleMs }),
    ...at('not_before', expiry.notBeforeMs),
  }
}

function toTokenView(token: TokenInfo, times: Times): z.infer<typeof tokenView> {
  return {
    ...{ id: token.tokenId, kind: token.kind, state: token.state, grant: token.grantHash },
    created_at: iso(token.createdAtMs),
    ...at('not_before', token.notBeforeMs),
    ...at('expires_at', token.expiresAtMs),
    ...at('ends_at', token.endsAtMs),
    expires_soon: endsSoon(token, times),
    ...at('last_used_at', token.lastUsedAtMs),
    ...at('revoked_at', token.revokedAtMs),
  }
}
