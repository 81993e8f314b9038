/** How tokens are born and die, inside the transaction of whoever changes them: also of a change of their API user. */

import { tokenSide } from './change-details.ts'
import { first } from './rows.ts'
import { SqlConflict } from './sql.ts'
import { tokenColumns, toTokenRow } from './token-rows.ts'
import { TokenConflict } from '../token-store.ts'
import type { Transaction } from './sql.ts'
import type { Writing } from './sql-write.ts'
import type { Replacement, TokenRow } from '../token-store.ts'

// Once `store`, it stays so while the token lives: whoever takes the definition away takes the token too.
const home = `case when exists (
  select 1 from api_users where name = $2 and displaced_at_ms is null) then 'store' else 'git' end`
const ended = 'update tokens set revoked_at_ms = $1, issued_grant = null'
const retire = `${ended} where id = $2 and user_name = $3 and revoked_at_ms is null returning ${tokenColumns}`
const end = `${ended} where id = $2 and revoked_at_ms is null returning ${tokenColumns}`
const endOfUser = `${ended} where user_name = $2 and revoked_at_ms is null returning ${tokenColumns}`
const keep = 'insert into grants (hash, json) values ($1, $2) on conflict (hash) do nothing'
// Only the grant that has just lost a token is looked at: the cost does not grow with the number of grants.
const prune =
  'delete from grants where hash = $1 and not exists (select 1 from tokens where issued_grant = $1)'
const insert = `
  insert into tokens (id, user_name, kind, hash, grant_hash, issued_grant, created_at_ms, expires_at_ms, not_before_ms,
    idle_ms, last_used_at_ms, home)
  values ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9, $10, ${home})`

export const liveToken = `select ${tokenColumns} from tokens where user_name = $1 and revoked_at_ms is null`

/** Inserts the token as its API user's only valid one. @throws TokenConflict */
export async function replaceToken(tx: Writing, token: Replacement, by: string): Promise<void> {
  const { row, grantJson, previous } = token
  const old =
    previous === undefined
      ? undefined
      : first(await tx.run(retire, [row.createdAtMs, previous, row.user]), toTokenRow)
  if (previous !== undefined && old === undefined) {
    throw new TokenConflict(`The token ${previous} of ${row.user} is no longer the valid one.`)
  }
  if ((await liveOf(tx, row.user)) !== undefined) {
    throw new TokenConflict(`${row.user} has a valid token already.`)
  }
  await keepGrant(tx, row.grantHash, grantJson)
  await insertToken(tx, row)
  if (old !== undefined) await pruneGrant(tx, old.grantHash)
  const kind = previous === undefined ? 'token_issued' : 'token_rotated'
  await tx.record(row.kind === 'adopted' ? 'token_adopted' : kind, row.user, by, {
    token_id: row.id,
    ...(old !== undefined && { before: tokenSide(old) }),
    after: tokenSide(row),
  })
}

async function insertToken(tx: Transaction, row: TokenRow): Promise<void> {
  try {
    await tx.run(insert, [
      row.id,
      row.user,
      row.kind,
      row.hash,
      row.grantHash,
      row.createdAtMs,
      row.expiresAtMs ?? null,
      row.notBeforeMs ?? null,
      row.idleMs ?? null,
      row.lastUsedAtMs ?? null,
    ])
  } catch (error) {
    if (!(error instanceof SqlConflict)) throw error
    throw new TokenConflict('This token is the valid one of another API user.', { cause: error })
  }
}

/** False: it was not valid any more. */
export async function revokeToken(
  tx: Writing,
  id: string,
  atMs: number,
  by: string,
): Promise<boolean> {
  const gone = first(await tx.run(end, [atMs, id]), toTokenRow)
  if (gone === undefined) return false
  await buried(tx, gone, by)
  return true
}

/** Whatever valid token the API user has dies. */
export async function revokeTokenOf(
  tx: Writing,
  user: string,
  atMs: number,
  by: string,
): Promise<void> {
  for (const gone of await tx.run(endOfUser, [atMs, user])) await buried(tx, toTokenRow(gone), by)
}

async function buried(tx: Writing, gone: TokenRow, by: string): Promise<void> {
  await pruneGrant(tx, gone.grantHash)
  await tx.record('token_revoked', gone.user, by, { token_id: gone.id, before: tokenSide(gone) })
}

export async function keepGrant(tx: Transaction, hash: string, json: string): Promise<void> {
  await tx.run(keep, [hash, json])
}

/** Drops a grant that no valid token needs any more. */
export async function pruneGrant(tx: Transaction, hash: string): Promise<void> {
  await tx.run(prune, [hash])
}

async function liveOf(tx: Transaction, user: string): Promise<TokenRow | undefined> {
  return first(await tx.run(liveToken, [user]), toTokenRow)
}
