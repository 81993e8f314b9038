/** What a change says of before and after, as it is kept beside it: for people, and without anything secret. */

import type { ChangeSide } from '../changes.ts'
import type { OperatorRow } from '../operator-store.ts'
import type { TokenRow } from '../token-store.ts'
import type { Suspension, UserRow } from '../user-store.ts'

export function tokenSide(row: TokenRow): ChangeSide {
  return {
    token_id: row.id,
    token_kind: row.kind,
    grant: row.grantHash,
    expires_at: iso(row.expiresAtMs),
    not_before: iso(row.notBeforeMs),
    idle_ms: row.idleMs,
  }
}

/** Its definition may be long, and is on record where it was changed: here is which one it was. */
export function userSide({ stored, place }: Pick<UserRow, 'stored' | 'place'>): ChangeSide {
  return {
    version: stored?.version,
    products: place.products.length === 0 ? undefined : place.products.join(' '),
    organization: place.organization,
  }
}

export function suspensionSide({ atMs, by, because }: Suspension): ChangeSide {
  return { suspended_at: iso(atMs), suspended_by: by, because }
}

export function operatorSide({ role, product, via, expiresAtMs }: OperatorRow): ChangeSide {
  return { role, product, via, expires_at: iso(expiresAtMs) }
}

function iso(atMs: number | undefined): string | undefined {
  return atMs === undefined ? undefined : new Date(atMs).toISOString()
}
