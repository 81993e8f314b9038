/** Operators in the database. */

import { OperatorConflict } from '../operator-store.ts'
import { operatorSide } from './change-details.ts'
import { digest, first, integer, optional, text, word } from './rows.ts'
import { SqlConflict } from './sql.ts'
import type { OperatorRow, OperatorStore } from '../operator-store.ts'
import type { Sql, SqlRow, Transaction } from './sql.ts'
import type { Write, Writing } from './sql-write.ts'

const columns =
  'id, name, role, product, hash, via, created_at_ms, created_by, expires_at_ms, revoked_at_ms'
const find = `select ${columns} from operators where id = $1`
const insert = `
  insert into operators (${columns}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
// One that has run out holds its name no longer; until now nothing had to say so.
const retire = `
  update operators set revoked_at_ms = $1
  where name = $2 and via = 'token' and revoked_at_ms is null and expires_at_ms <= $1`
const revoke = `
  update operators set revoked_at_ms = $1 where id = $2 and revoked_at_ms is null returning ${columns}`
// $1: now. Nobody else writes meanwhile: each writer holds the counter's row.
const lastingOwner = `
  role = 'owner' and product is null and via = 'token' and revoked_at_ms is null
  and (expires_at_ms is null or expires_at_ms > $1)`
const isOwner = `select id from operators where id = $2 and ${lastingOwner}`
const otherOwners = `select id from operators where id <> $2 and ${lastingOwner} limit 1`

/** How long a sign-in that is over stays in the database. */
const keptMs = 86_400_000

/** @param nowMs SQL: the database's own clock */
export function createOperatorStore(sql: Sql, write: Write, nowMs: string): OperatorStore {
  const list = `
    select ${columns} from operators
    where via = 'token' or expires_at_ms > ${nowMs} order by created_at_ms desc, id`
  const forget = `delete from operators where via = 'oidc' and expires_at_ms < ${nowMs} - ${keptMs}`
  return {
    async find(id) {
      return first(await sql.read(find, [id]), toOperatorRow)
    },
    async list() {
      return (await sql.read(list)).map(toOperatorRow)
    },
    create: (row, by) =>
      write(async (tx) => {
        if (row.via === 'token') await tx.run(retire, [row.createdAtMs, row.name])
        else await tx.run(forget)
        await insertOperator(tx, row)
        await tx.record('operator_created', row.name, by, {
          token_id: row.id,
          after: operatorSide(row),
        })
      }),
    revoke: (id, atMs, by) => write((tx) => revokeOperator(tx, id, atMs, by)),
    revokeUnlessLast: (id, atMs, by) =>
      write(async (tx) => {
        if (await isLastOwner(tx, id, atMs)) return 'last_owner'
        return (await revokeOperator(tx, id, atMs, by)) ? 'revoked' : 'not_valid'
      }),
  }
}

async function revokeOperator(tx: Writing, id: string, atMs: number, by: string): Promise<boolean> {
  const gone = first(await tx.run(revoke, [atMs, id]), toOperatorRow)
  if (gone === undefined) return false
  await tx.record('operator_revoked', gone.name, by, {
    token_id: gone.id,
    before: operatorSide(gone),
  })
  return true
}

async function isLastOwner(tx: Transaction, id: string, atMs: number): Promise<boolean> {
  if ((await tx.run(isOwner, [atMs, id])).length === 0) return false
  return (await tx.run(otherOwners, [atMs, id])).length === 0
}

async function insertOperator(tx: Transaction, row: OperatorRow): Promise<void> {
  try {
    await tx.run(insert, [
      row.id,
      row.name,
      row.role,
      row.product ?? null,
      row.hash,
      row.via,
      row.createdAtMs,
      row.createdBy,
      row.expiresAtMs ?? null,
      row.revokedAtMs ?? null,
    ])
  } catch (error) {
    if (!(error instanceof SqlConflict)) throw error
    throw new OperatorConflict(`The operator ${row.name} has a valid token already.`, {
      cause: error,
    })
  }
}

function toOperatorRow(row: SqlRow): OperatorRow {
  return {
    id: text(row['id']),
    name: text(row['name']),
    role: word(row['role'], ['viewer', 'editor', 'owner']),
    product: optional(row['product'], text),
    hash: digest(row['hash']),
    via: word(row['via'], ['token', 'oidc']),
    createdAtMs: integer(row['created_at_ms']),
    createdBy: text(row['created_by']),
    expiresAtMs: optional(row['expires_at_ms'], integer),
    revokedAtMs: optional(row['revoked_at_ms'], integer),
  }
}
