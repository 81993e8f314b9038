/** API users as the database has them: which columns, and rows as our own types. */

import { integer, optional, text, texts } from './rows.ts'
import type { SqlRow, SqlValue } from './sql.ts'
import type { NewUser, Suspension, UserRow } from '../user-store.ts'

/** To be joined with `suspensions` by name. */
export const userColumns = `api_users.name, api_users.definition, api_users.version, api_users.products,
  api_users.organization, api_users.description, api_users.created_at_ms, api_users.created_by,
  api_users.updated_at_ms, api_users.updated_by, api_users.displaced_at_ms,
  suspensions.at_ms, suspensions.by_whom, suspensions.because`

/** @throws StoreUnusable when a column does not hold what the migrations say */
export function toUserRow(row: SqlRow): UserRow {
  const definition = text(row['definition'])
  return {
    name: text(row['name']),
    stored: { definition, version: integer(row['version']) },
    place: {
      products: texts(row['products']),
      organization: optional(row['organization'], text),
    },
    description: text(row['description']),
    createdAtMs: integer(row['created_at_ms']),
    createdBy: text(row['created_by']),
    updatedAtMs: integer(row['updated_at_ms']),
    updatedBy: text(row['updated_by']),
    suspended: row['at_ms'] === null ? undefined : toSuspension(row),
    displacedAtMs: optional(row['displaced_at_ms'], integer),
  }
}

/** @throws StoreUnusable as `toUserRow` */
export function toSuspension(row: SqlRow): Suspension {
  return {
    atMs: integer(row['at_ms']),
    by: text(row['by_whom']),
    because: text(row['because']),
  }
}

/** All that is known here of a suspended API user of the policy files. */
export function ofPolicyFiles(name: string, suspended: Suspension): UserRow {
  const { atMs, by } = suspended
  return {
    name,
    stored: undefined,
    place: { products: [], organization: undefined },
    description: '',
    createdAtMs: atMs,
    createdBy: by,
    updatedAtMs: atMs,
    updatedBy: by,
    suspended,
    displacedAtMs: undefined,
  }
}

/** Values of the columns that creating and updating write alike: $1 to $8. */
export function userValues(user: NewUser, by: string): SqlValue[] {
  return [
    user.name,
    user.definition,
    JSON.stringify(user.place.products),
    user.place.organization ?? null,
    user.description,
    folded(`${user.name}\n${user.description}`),
    user.atMs,
    by,
  ]
}

/** Letters compare without case, in all scripts and in both databases alike. */
export function folded(words: string): string {
  return words.normalize('NFC').toLowerCase()
}
