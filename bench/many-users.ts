/** Fills a store with API users, each with a valid token, past the store: rows by the thousand. */

import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import type { Config } from '../src/config/config.ts'
import { systemClock } from '../src/domain/clock.ts'
import { openParts, openTokens } from '../src/open-parts.ts'
import { createPolicyEngine } from '../src/policy/engine.ts'
import type { SqlValue } from '../src/store/sql/sql.ts'
import type { Store } from '../src/store/store.ts'
import { userValues } from '../src/store/sql/user-rows.ts'

/** One statement, run for many rows. */
export type Fill = (table: string, columns: string, rows: readonly SqlValue[][]) => Promise<void>

const PRODUCT = '12345'
const AT_ONCE = 1000

/** Returns their tokens in plain, in the order of their numbers. */
export async function addUsers(
  config: Config,
  store: Store,
  fill: Fill,
  { from, to, device }: { from: number; to: number; device: string },
): Promise<string[]> {
  const { catalog, set } = openParts(config)
  const policy = createPolicyEngine({ catalog, set, cacheSize: 10 })
  await using tokens = openTokens(config, store, systemClock)
  const definition = JSON.stringify({
    owner: 'bench@acme.example',
    product: PRODUCT,
    devices: { ids: [device] },
    rules: [{ can: 'devices.variable:get', variables: ['temperature'] }],
    expires: 'never',
  })
  const plain: string[] = []
  for (let at = from; at < to; at += AT_ONCE) {
    const grants: SqlValue[][] = []
    const rows: SqlValue[][] = []
    const users: SqlValue[][] = []
    for (let n = at; n < Math.min(to, at + AT_ONCE); n += 1) {
      const name = `machine-${String(n).padStart(6, '0')}`
      const user = policy.user(name, { definition, version: 1 })
      if (user === undefined) throw new Error('the definition does not compile')
      const { issued, kept } = tokens.prepare(user, undefined)
      plain.push(issued.token.reveal())
      const { row, grantJson } = kept
      grants.push([row.grantHash, grantJson])
      rows.push([row.id, name, row.hash, row.grantHash, row.grantHash, row.createdAtMs])
      const place = { products: [PRODUCT], organization: undefined }
      const description = `Machine number ${n}`
      const values = userValues({ name, definition, place, description, atMs: 1 }, 'cli:bench')
      users.push([...values, ...values.slice(6), 1])
    }
    await fill('grants', 'hash, json', grants)
    await fill('tokens', 'id, user_name, hash, grant_hash, issued_grant, created_at_ms', rows)
    await fill(
      'api_users',
      `name, definition, products, organization, description, sought, created_at_ms, created_by,
        updated_at_ms, updated_by, version`,
      users,
    )
    await fill(
      'api_user_products',
      'product, name',
      users.map(([name = null]) => [PRODUCT, name]),
    )
  }
  return plain
}

export function sqliteFill(path: string): Fill & Disposable {
  const db = new DatabaseSync(path, { timeout: 10_000 })
  const fill: Fill = async (table, columns, rows) => {
    const places = columns.split(',').map(() => '?')
    const insert = db.prepare(`insert into ${table} (${columns}) values (${places.join(', ')})`)
    db.exec('begin immediate')
    for (const row of rows) insert.run(...row)
    db.exec('commit')
  }
  return Object.assign(fill, { [Symbol.dispose]: () => db.close() })
}

export async function postgresFill(url: string, password: string): Promise<Fill & AsyncDisposable> {
  const whole = new URL(url)
  whole.password = password
  const client = new pg.Client({
    connectionString: String(whole),
    options: '-c search_path=fleetgate',
  })
  await client.connect()
  const fill: Fill = async (table, columns, rows) => {
    const width = columns.split(',').length
    const row = (n: number) =>
      `(${Array.from({ length: width }, (_, at) => `$${n * width + at + 1}`).join(', ')})`
    const places = rows.map((_, n) => row(n)).join(', ')
    await client.query(`insert into ${table} (${columns}) values ${places}`, rows.flat())
  }
  return Object.assign(fill, { [Symbol.asyncDispose]: () => client.end() })
}
