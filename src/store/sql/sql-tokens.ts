/** Tokens in the database. */

import { setImmediate as nextTurn } from 'node:timers/promises'
import { tokenSide } from './change-details.ts'
import { first, text } from './rows.ts'
import { findToken, toFoundToken, tokenColumns, toTokenRow } from './token-rows.ts'
import { TokenConflict } from '../token-store.ts'
import { keepGrant, liveToken, pruneGrant, replaceToken, revokeToken } from './token-writes.ts'
import type { MaybePromise } from '../../lib/maybe-promise.ts'
import type { Sql, SqlRow, SqlValue } from './sql.ts'
import type { Write } from './sql-write.ts'
import type { FoundToken, TokenRow, TokenStore } from '../token-store.ts'

const find = `${findToken} where tokens.id = $1`
// A token of the cloud that was revoked here may be adopted anew: its valid row comes before older ones.
const findAdopted = `${findToken} where tokens.hash = $1 and tokens.kind = 'adopted'
  order by case when tokens.revoked_at_ms is null then 0 else 1 end, tokens.created_at_ms desc limit 1`
// `home` finds the few candidates by index. One of them may have got its definition back from being displaced.
const heldOutside = `
  select tokens.id, tokens.user_name from tokens
  left join api_users on api_users.name = tokens.user_name and api_users.displaced_at_ms is null
  where tokens.revoked_at_ms is null and tokens.home = 'git' and api_users.name is null
  order by tokens.user_name`
const extend = `
  update tokens set grant_hash = $1, issued_grant = $1, expires_at_ms = $2
  where id = $3 and issued_grant = $4 and revoked_at_ms is null returning ${tokenColumns}`
const byId = `select ${tokenColumns} from tokens where id = $1`

const lastToken = `
  select ${tokenColumns} from tokens where user_name = $1 order by created_at_ms desc, id desc limit 1`

/** Uses written by one statement; a shorter list is filled up, so that the statement is always the same. */
const usesAtOnce = 128
const use = (n: number) => `(cast($${2 * n + 1} as text), cast($${2 * n + 2} as bigint))`
const touch = `
  update tokens set last_used_at_ms = used.column2
  from (values ${Array.from({ length: usesAtOnce }, (_, n) => use(n)).join(', ')}) as used
  where tokens.id = used.column1
    and (tokens.last_used_at_ms is null or tokens.last_used_at_ms < used.column2)`

/** Between so many, other requests have their turn. */
const listedAtOnce = 1_000

/** The next rows after `last`, newest first. */
function listed({ user, live }: { user?: string; live?: true }, last: TokenRow | undefined) {
  const values: SqlValue[] = []
  const place = (value: SqlValue) => `$${values.push(value)}`
  const conditions = [
    ...(user === undefined ? [] : [`user_name = ${place(user)}`]),
    ...(live === undefined ? [] : ['revoked_at_ms is null']),
    ...(last === undefined
      ? []
      : [`(created_at_ms, id) < (${place(last.createdAtMs)}, ${place(last.id)})`]),
  ]
  const where = conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`
  const order = `order by created_at_ms desc, id desc limit ${listedAtOnce}`
  return { text: `select ${tokenColumns} from tokens ${where} ${order}`, values }
}

export function createTokenStore(sql: Sql, write: Write): TokenStore {
  return {
    find: (id) => found(sql.lookUp(find, [id])),
    findAdopted: (hash) => found(sql.lookUp(findAdopted, [hash])),
    async live(user) {
      return first(await sql.read(liveToken, [user]), toTokenRow)
    },
    async newest(user) {
      const live = first(await sql.read(liveToken, [user]), toTokenRow)
      return live ?? first(await sql.read(lastToken, [user]), toTokenRow)
    },
    async list(which = {}) {
      const rows: TokenRow[] = []
      for (let last: TokenRow | undefined; ; last = rows.at(-1)) {
        const { text: page, values } = listed(which, last)
        const some = await sql.read(page, values)
        for (const row of some) rows.push(toTokenRow(row))
        if (some.length < listedAtOnce) return rows
        await nextTurn()
      }
    },
    async heldOutsideStore() {
      const rows = await sql.read(heldOutside)
      return rows.map((row) => ({ id: text(row['id']), user: text(row['user_name']) }))
    },
    replace: (token, by) => write((tx) => replaceToken(tx, token, by)),
    extend: (id, grant, by) =>
      write(async (tx) => {
        await keepGrant(tx, grant.hash, grant.json)
        const end = grant.expiresAtMs ?? null
        const before = first(await tx.run(byId, [id]), toTokenRow)
        const after = first(await tx.run(extend, [grant.hash, end, id, grant.from]), toTokenRow)
        if (before === undefined || after === undefined) {
          throw new TokenConflict(`The token ${id} is no longer valid, or no longer the same.`)
        }
        await pruneGrant(tx, grant.from)
        await tx.record('token_extended', after.user, by, {
          token_id: id,
          before: tokenSide(before),
          after: tokenSide(after),
        })
      }),
    revoke: (id, atMs, by) => write((tx) => revokeToken(tx, id, atMs, by)),
    async touch(used) {
      const uses = [...used]
      for (let at = 0; at < uses.length; at += usesAtOnce) {
        const values = filled(uses.slice(at, at + usesAtOnce))
        await write.quietly((tx) => tx.run(touch, values))
      }
    },
  }
}

function found(rows: MaybePromise<SqlRow[]>): MaybePromise<FoundToken | undefined> {
  if (rows instanceof Promise) return rows.then((all) => first(all, toFoundToken))
  return first(rows, toFoundToken)
}

function filled(uses: readonly [id: string, atMs: number][]): SqlValue[] {
  const rest = Array.from({ length: usesAtOnce - uses.length }, (): SqlValue[] => [null, null])
  return [...uses, ...rest].flat()
}
