/** Tokens as the database has them: which columns, and rows as our own types. */

import { digest, integer, optional, text, word } from './rows.ts'
import type { SqlRow } from './sql.ts'
import type { FoundToken, TokenRow } from '../token-store.ts'

export const tokenColumns = `tokens.id, tokens.user_name, tokens.kind, tokens.hash, tokens.grant_hash, tokens.created_at_ms,
  tokens.expires_at_ms, tokens.not_before_ms, tokens.idle_ms, tokens.last_used_at_ms, tokens.revoked_at_ms`

/** All that a request needs to know of a token: each join is one look-up by key. */
export const findToken = `
  select ${tokenColumns}, grants.json as grant_json, api_users.definition, api_users.version,
    suspensions.at_ms as suspended_at_ms
  from tokens
  left join grants on grants.hash = tokens.issued_grant
  left join api_users on api_users.name = tokens.user_name and api_users.displaced_at_ms is null
  left join suspensions on suspensions.name = tokens.user_name`

/** @throws StoreUnusable when a column does not hold what the migrations say */
export function toTokenRow(row: SqlRow): TokenRow {
  return {
    id: text(row['id']),
    user: text(row['user_name']),
    kind: word(row['kind'], ['minted', 'adopted']),
    hash: digest(row['hash']),
    grantHash: text(row['grant_hash']),
    createdAtMs: integer(row['created_at_ms']),
    expiresAtMs: optional(row['expires_at_ms'], integer),
    notBeforeMs: optional(row['not_before_ms'], integer),
    idleMs: optional(row['idle_ms'], integer),
    lastUsedAtMs: optional(row['last_used_at_ms'], integer),
    revokedAtMs: optional(row['revoked_at_ms'], integer),
  }
}

/** @throws StoreUnusable as `toTokenRow` */
export function toFoundToken(row: SqlRow): FoundToken {
  const definition = optional(row['definition'], text)
  return {
    row: toTokenRow(row),
    grantJson: optional(row['grant_json'], text),
    stored: definition === undefined ? undefined : { definition, version: integer(row['version']) },
    suspended: row['suspended_at_ms'] !== null,
  }
}
