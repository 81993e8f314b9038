/** SQLite's rows as our own types, checked: the file may have been touched by other hands. */

import type { TokenRow } from './token-store.ts'

/** The file cannot serve as a token store; the message says what to do. */
export class StoreUnusable extends Error {
  override readonly name = 'StoreUnusable'
}

/** @throws StoreUnusable when a column does not hold what the migrations say */
export function toRow(row: Record<string, unknown> | undefined): TokenRow | undefined {
  if (row === undefined) return undefined
  const hash = row['hash']
  if (!(hash instanceof Uint8Array)) throw new StoreUnusable('A token row has no hash.')
  return {
    id: text(row['id']),
    user: text(row['user']),
    hash,
    grantHash: text(row['grant_hash']),
    createdAtMs: integer(row['created_at_ms']),
    expiresAtMs: optionalInteger(row['expires_at_ms']),
    idleMs: optionalInteger(row['idle_ms']),
    lastUsedAtMs: optionalInteger(row['last_used_at_ms']),
    revokedAtMs: optionalInteger(row['revoked_at_ms']),
  }
}

export function firstColumn(row: unknown): unknown {
  return Array.isArray(row) ? row[0] : undefined
}

export function text(value: unknown): string {
  if (typeof value === 'string') return value
  throw new StoreUnusable('The token store holds a value that is not text where text belongs.')
}

export function integer(value: unknown): number {
  if (typeof value === 'number') return value
  throw new StoreUnusable('The token store holds a value that is not a number where one belongs.')
}

function optionalInteger(value: unknown): number | undefined {
  return value === null ? undefined : integer(value)
}
