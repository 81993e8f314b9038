/** API users in the database: definitions that operators wrote, and suspensions. */

import { suspensionSide, userSide } from './change-details.ts'
import { first, integer, text } from './rows.ts'
import { SqlConflict } from './sql.ts'
import { replaceToken, revokeTokenOf } from './token-writes.ts'
import { namesStatement, pageStatements } from './user-pages.ts'
import { ofPolicyFiles, toSuspension, toUserRow, userColumns, userValues } from './user-rows.ts'
import { UserConflict } from '../user-store.ts'
import type { Sql, Transaction } from './sql.ts'
import type { Write } from './sql-write.ts'
import type { NewUser, UserRow, UserStore } from '../user-store.ts'

const get = `
  select ${userColumns} from api_users
  left join suspensions on suspensions.name = api_users.name where api_users.name = $1`
const suspension = 'select at_ms, by_whom, because from suspensions where name = $1'
const suspensions = 'select name, at_ms, by_whom, because from suspensions order by name'
const insert = `
  insert into api_users (name, definition, products, organization, description, sought, created_at_ms, created_by,
    updated_at_ms, updated_by, version)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $7, $8, 1)`
const update = `
  update api_users set definition = $2, products = $3, organization = $4, description = $5, sought = $6,
    updated_at_ms = $7, updated_by = $8, version = version + 1, displaced_at_ms = null
  where name = $1 and version = $9 returning name`
const clearProducts = 'delete from api_user_products where name = $1'
const insertProduct = 'insert into api_user_products (product, name) values ($1, $2)'
const remove = 'delete from api_users where name = $1 and version = $2 returning displaced_at_ms'
const version = 'select version from api_users where name = $1'
const suspend = `
  insert into suspensions (name, at_ms, by_whom, because) values ($1, $2, $3, $4)
  on conflict (name) do update set at_ms = $2, by_whom = $3, because = $4`
const resume = 'delete from suspensions where name = $1 returning at_ms, by_whom, because'
const displace = `
  update api_users set displaced_at_ms = $1 where name = $2 and displaced_at_ms is null returning name`

/** Names looked for by one statement; a shorter list is filled up, so that the statement is always the same. */
const namesAtOnce = 200
const standing = `
  select name from api_users where displaced_at_ms is null
    and name in (${Array.from({ length: namesAtOnce }, (_, n) => `$${n + 1}`).join(', ')})`

export function createUserStore(sql: Sql, write: Write): UserStore {
  async function standingAmong(names: readonly string[]): Promise<string[]> {
    const hits: string[] = []
    for (let at = 0; at < names.length; at += namesAtOnce) {
      const some = names.slice(at, at + namesAtOnce)
      const rest = Array.from({ length: namesAtOnce - some.length }, () => null)
      const rows = await sql.read(standing, [...some, ...rest])
      hits.push(...rows.map((row) => text(row['name'])))
    }
    return hits
  }

  return {
    async get(name) {
      const row = first(await sql.read(get, [name]), toUserRow)
      if (row !== undefined) return row
      const suspended = first(await sql.read(suspension, [name]), toSuspension)
      return suspended && ofPolicyFiles(name, suspended)
    },
    async page(query) {
      const { rows, total } = pageStatements(query)
      return {
        total: first(await sql.read(total.text, total.values), (row) => integer(row['n'])) ?? 0,
        rows: (await sql.read(rows.text, rows.values)).map(toUserRow),
      }
    },
    async names(query) {
      const { text: statement, values } = namesStatement(query)
      return (await sql.read(statement, values)).map((row) => ({
        name: text(row['name']),
        displaced: row['displaced_at_ms'] !== null,
        mentions: integer(row['mentions']) === 1,
      }))
    },
    async suspensions() {
      const rows = await sql.read(suspensions)
      return new Map(rows.map((row) => [text(row['name']), toSuspension(row)]))
    },
    create: (user, token, by) =>
      write(async (tx) => {
        await insertUser(tx, user, by)
        // One that was issued while a namesake was being deleted must not come alive again under this one.
        await revokeTokenOf(tx, user.name, user.atMs, by)
        const made = await asKept(tx, user.name)
        await tx.record('user_created', user.name, by, { after: userSide(made) })
        if (token !== undefined) await replaceToken(tx, token, by)
        return made
      }),
    update: (user, expected, token, by) =>
      write(async (tx) => {
        const before = first(await tx.run(get, [user.name]), toUserRow)
        const changed = await tx.run(update, [...userValues(user, by), expected])
        if (before === undefined || changed.length !== 1)
          throw await conflict(tx, user.name, expected)
        await tx.run(clearProducts, [user.name])
        await insertProducts(tx, user)
        const after = await asKept(tx, user.name)
        const sides = { before: userSide(before), after: userSide(after) }
        await tx.record('user_updated', user.name, by, sides)
        if (token !== undefined) await replaceToken(tx, token, by)
        return after
      }),
    delete: (name, expected, atMs, by) =>
      write(async (tx) => {
        await assertVersion(tx, name, expected)
        const before = userSide(await asKept(tx, name))
        await tx.run(clearProducts, [name])
        const [gone] = await tx.run(remove, [name, expected])
        if (gone === undefined) throw await conflict(tx, name, expected)
        // Where the policy files have taken the name, token and suspension are those of their API user.
        if (gone['displaced_at_ms'] === null) {
          await revokeTokenOf(tx, name, atMs, by)
          await tx.run(resume, [name])
        }
        await tx.record('user_deleted', name, by, { before })
      }),
    suspend: (name, because, atMs, by) =>
      write(async (tx) => {
        const before = first(await tx.run(suspension, [name]), toSuspension)
        await tx.run(suspend, [name, atMs, by, because])
        await tx.record('user_suspended', name, by, {
          ...(before !== undefined && { before: suspensionSide(before) }),
          after: suspensionSide({ atMs, by, because }),
        })
      }),
    async resume(name, _atMs, by) {
      return write(async (tx) => {
        const before = first(await tx.run(resume, [name]), toSuspension)
        if (before === undefined) return false
        await tx.record('user_resumed', name, by, { before: suspensionSide(before) })
        return true
      })
    },
    clashes: standingAmong,
    async displace(names, atMs, by) {
      const hits = await standingAmong(names)
      if (hits.length === 0) return []
      return write(async (tx) => {
        const done: string[] = []
        for (const name of hits) {
          if ((await tx.run(displace, [atMs, name])).length === 0) continue
          await revokeTokenOf(tx, name, atMs, by)
          await tx.record('user_displaced', name, by, {
            before: userSide(await asKept(tx, name)),
          })
          done.push(name)
        }
        return done
      })
    },
  }
}

async function insertUser(tx: Transaction, user: NewUser, by: string): Promise<void> {
  try {
    await tx.run(insert, userValues(user, by))
  } catch (error) {
    if (!(error instanceof SqlConflict)) throw error
    throw new UserConflict(`There is an API user ${user.name} already.`, { cause: error })
  }
  await insertProducts(tx, user)
}

async function insertProducts(tx: Transaction, user: NewUser): Promise<void> {
  for (const product of new Set(user.place.products)) {
    await tx.run(insertProduct, [product, user.name])
  }
}

async function asKept(tx: Transaction, name: string): Promise<UserRow> {
  const row = first(await tx.run(get, [name]), toUserRow)
  if (row === undefined) throw new UserConflict(`${name} is gone.`)
  return row
}

async function assertVersion(tx: Transaction, name: string, expected: number): Promise<void> {
  const kept = first(await tx.run(version, [name]), (row) => integer(row['version']))
  if (kept !== expected) throw await conflict(tx, name, expected)
}

async function conflict(tx: Transaction, name: string, expected: number): Promise<UserConflict> {
  const kept = first(await tx.run(version, [name]), (row) => integer(row['version']))
  if (kept === undefined) return new UserConflict(`There is no API user ${name} in the store.`)
  return new UserConflict(`${name} was changed meanwhile: its version is ${kept}, not ${expected}.`)
}
