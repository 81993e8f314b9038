import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/domain/clock.ts'
import { Problem } from '../../src/domain/problem.ts'
import { Secret } from '../../src/lib/secret.ts'
import { postgresMigrations } from '../../src/store/postgres/migrations-postgres.ts'
import { openPostgresStore, type PostgresStoreOptions } from '../../src/store/postgres/postgres.ts'
import { StoreUnusable } from '../../src/store/sql/rows.ts'
import { StoreUnavailable } from '../../src/store/sql/sql.ts'
import { findToken } from '../../src/store/sql/token-rows.ts'
import type { Change } from '../../src/store/changes.ts'
import type { Store } from '../../src/store/store.ts'
import { startFairClock } from '../kit/fair-clock.ts'
import { createDatabase, startPostgres, type TestDatabase } from '../kit/postgres.ts'
import { startRelay, type Relay } from '../kit/relay.ts'
import { testDatabase } from '../kit/test-database.ts'
import { aRow, start } from '../kit/tokens.ts'
import { storeContract } from './store.ts'
import { anOperator, by } from './store-kit.ts'

storeContract('PostgreSQL', async () => {
  const own = await testDatabase()
  return {
    open: () => openPostgresStore({ ...own, connections: 6, clock: systemClock, onFault() {} }),
    select: (text) => own.query(text),
    [Symbol.asyncDispose]: () => own[Symbol.asyncDispose](),
  }
})

let database: TestDatabase
const stores: Store[] = []
const faults: unknown[] = []

function onADatabase(): void {
  beforeEach(async () => {
    database = await testDatabase()
  })
  afterEach(async () => {
    await closeAll()
    await database[Symbol.asyncDispose]()
    faults.length = 0
  })
}

async function closeAll(): Promise<void> {
  await Promise.all(stores.splice(0).map((store) => store[Symbol.asyncDispose]()))
}

async function open(more: Partial<PostgresStoreOptions> = {}): Promise<Store> {
  const store = await openPostgresStore({
    url: database.url,
    password: database.password,
    connections: 6,
    clock: systemClock,
    onFault: (error) => void faults.push(error),
    ...more,
  })
  stores.push(store)
  return store
}

const issue = (store: Store, id: string, user: string) =>
  store.tokens.replace({ row: aRow(id, user), grantJson: '{}', previous: undefined }, 'cli:test')

/** What a store is told; `next`: when it is told more. */
function listenTo(store: Store) {
  const told: (readonly Change[] | 'unknown')[] = []
  store.changes.onChange((changes) => void told.push(changes))
  return {
    told,
    async next(): Promise<void> {
      const before = told.length
      await expect.poll(() => told.length, { interval: 2 }).toBeGreaterThan(before)
    },
  }
}

/**
 * Milliseconds until a store hears of a change after a look of its own. The next look is a second away: less than that, once, says
 * that notices come; more may be a slow machine.
 */
async function noticedAfter(store: Store, change: () => Promise<unknown>): Promise<number> {
  const from = performance.now()
  await store.changes.refresh()
  const next = listenTo(store).next()
  await change()
  await next
  return performance.now() - from
}

/** The last moment at which the store believed its memory, once it does not any more. */
async function lastFresh(store: Store): Promise<number> {
  for (let last = 0; ; await new Promise((resolve) => setTimeout(resolve, 5))) {
    const atMs = performance.now()
    if (isFresh(store) === 'store_unavailable') return last
    expect(isFresh(store)).toMatch(/^(fresh|store_unavailable)$/)
    last = atMs
  }
}

describe('openPostgresStore', () => {
  onADatabase()

  it('creates everything in a schema of its own, once, however many start at once', async () => {
    const all = await Promise.all(Array.from({ length: 4 }, () => open()))
    await issue(await open(), 'a1', 'anna')
    for (const store of all) expect((await store.tokens.live('anna'))?.id).toBe('a1')
    const tables = await database.query(
      `select schemaname from pg_tables where schemaname not in ('pg_catalog', 'information_schema') group by 1`,
    )
    expect(tables).toEqual([{ schemaname: 'fleetgate' }])
    expect(await database.query('select version, program from fleetgate.migrations')).toEqual(
      postgresMigrations.map(({ version }) => ({
        version,
        program: 'fleetgate store',
      })),
    )
  })

  it('migrates forward and keeps the rows', async () => {
    await issue(await open(), 'a1', 'anna')
    await closeAll()
    const next = { version: 99, sql: 'alter table tokens add column note text' }
    const newer = await open({ migrations: [...postgresMigrations, next] })
    expect((await newer.tokens.live('anna'))?.id).toBe('a1')
  })

  it('refuses a database of a newer gate and says what to do', async () => {
    const next = { version: 99, sql: 'create table more (id text)' }
    await open({ migrations: [...postgresMigrations, next] })
    await expect(open()).rejects.toThrow(/version 99.*newer fleetgate.*restore/)
  })

  it('undoes a migration that fails half-way', async () => {
    await open()
    await closeAll()
    const broken = { version: 99, sql: 'create table more (id text); create nonsense' }
    await expect(open({ migrations: [...postgresMigrations, broken] })).rejects.toThrow()
    expect(await database.query(`select to_regclass('fleetgate.more') as more`)).toEqual([
      { more: null },
    ])
    await open()
  })

  it("refuses another program's schema and leaves it alone", async () => {
    await database.query('create schema fleetgate create table theirs (id text)')
    await expect(open()).rejects.toThrow(/schema "fleetgate" of another program/)
    await database.query('create table fleetgate.migrations (version int, program text)')
    await database.query(`insert into fleetgate.migrations values (1, 'theirs')`)
    await expect(open()).rejects.toThrow(StoreUnusable)
    expect(
      await database.query(`select tablename from pg_tables where schemaname = 'fleetgate'`),
    ).toHaveLength(2)
  })

  it('lives beside other things in the database, and in a schema made for it', async () => {
    await database.query('create table public.tokens (theirs text)')
    await database.query('create schema fleetgate')
    await issue(await open(), 'a1', 'anna')
    expect(await database.query('select * from public.tokens')).toEqual([])
  })

  it('says what is wrong where it cannot get in, and never the password', async () => {
    const password = new Secret('a-very-wrong-password')
    const wrong: unknown = await open({ password }).catch((error: unknown) => error)
    expect(wrong).toBeInstanceOf(StoreUnusable)
    expect(String(wrong)).toMatch(/lets us not in.*store_password/)
    const elsewhere = database.url.replace(/\/[^/]*$/, '/missing_database')
    await expect(open({ url: elsewhere })).rejects.toThrow(/missing_database.*createdb/)
    const closed = database.url.replace(/:\d+\//, ':1/')
    const refused: unknown = await open({ url: closed, password }).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(StoreUnavailable)
    expect(String(refused)).toMatch(/127\.0\.0\.1:1.*ECONNREFUSED/)
    for (const error of [wrong, refused]) {
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('a-very-wrong-password')
    }
  })

  it('lets the database itself refuse a second valid token', async () => {
    await issue(await open(), 'a1', 'anna')
    const insert = `insert into fleetgate.tokens (id, user_name, hash, grant_hash, issued_grant, created_at_ms)
      select 'a2', user_name, hash, grant_hash, issued_grant, created_at_ms from fleetgate.tokens`
    await expect(database.query(insert)).rejects.toThrow(/tokens_one_valid_per_user/)
  })

  it('finds a token among many by index alone', async () => {
    await open()
    await database.query(manyTokens)
    const [tokens] = await database.query('select count(*)::int as n from fleetgate.tokens')
    expect(tokens).toEqual({ n: 5000 })
    const plan = await database.query(`explain ${findToken} where tokens.id = 'u42'`)
    const lines = plan.map((row) => String(row['QUERY PLAN']))
    expect(lines.filter((line) => line.includes('Seq Scan'))).toEqual([])
    expect(lines.join('\n')).toContain('Index Scan using tokens_pkey')
  })
})

describe('tokens that are looked up', () => {
  onADatabase()

  it.each([4, 6, 10])(
    'by any number of strangers keep no operator waiting, on %i connections',
    async (connections) => {
      const store = await open({ connections })
      const locked = database
        .query('begin; lock table tokens in access exclusive mode; select pg_sleep(2.5); commit')
        .then(
          () => 'look-ups went on first',
          () => 'ended',
        )
      const lock = `select 1 from pg_locks where relation = 'tokens'::regclass and mode = 'AccessExclusiveLock' and granted`
      await expect.poll(() => database.query(lock), { interval: 5 }).toHaveLength(1)
      const finds = Array.from({ length: 100 }, async () => store.tokens.find('nobody'))
      const operator = store.operators
        .create(anOperator('o1', 'olga'), by)
        .then(() => store.operators.find('o1'))
      expect(await Promise.race([operator, locked])).toMatchObject({ name: 'olga' })
      // They have waited long enough.
      await database.query(
        `select pg_terminate_backend(pid) from (${lock.replace('1', 'pid')}) as holders`,
      )
      await locked
      for (const found of await Promise.all(finds)) expect(found).toBeUndefined()
    },
  )

  it('share one connection with all else where there are but three', async () => {
    const store = await open({ connections: 3 })
    await issue(store, 'a1', 'anna')
    expect((await store.tokens.find('a1'))?.row.user).toBe('anna')
  })
})

describe('the change feed of PostgreSQL', () => {
  onADatabase()

  const throughRelay = async (relay: Relay) =>
    open({ url: database.url.replace(/:\d+\//, `:${relay.port}/`) })
  const relayed = () => startRelay({ host: '127.0.0.1', port: Number(new URL(database.url).port) })
  const listening = (store: Store) =>
    expect.poll(() => store.changes.state().listening, { interval: 5 })

  it('tells others of a change within some milliseconds, in order and once each', async () => {
    const one = await open()
    const other = await open()
    await listening(other).toBe(true)
    const heard = listenTo(other)
    await issue(one, 'a1', 'anna')
    await one.tokens.revoke('a1', start, 'cli:test')
    await issue(one, 'b1', 'ben')
    await expect.poll(() => heard.told.flat()).toHaveLength(3)
    expect(heard.told.flat()).toEqual([
      { seq: 1, atMs: expect.any(Number), user: 'anna', kind: 'token_issued', by: 'cli:test' },
      { seq: 2, atMs: expect.any(Number), user: 'anna', kind: 'token_revoked', by: 'cli:test' },
      { seq: 3, atMs: expect.any(Number), user: 'ben', kind: 'token_issued', by: 'cli:test' },
    ])
    expect(other.changes.state()).toMatchObject({ seq: 3, listening: true })
    let more = 0
    const changed = () => issue(one, `c${++more}`, `cleo${more}`)
    await expect.poll(() => noticedAfter(other, changed)).toBeLessThan(400)
  })

  it('has told of own changes before a write resolves', async () => {
    const store = await open()
    const heard = listenTo(store)
    await issue(store, 'a1', 'anna')
    expect(heard.told.flat()).toMatchObject([{ seq: 1, user: 'anna' }])
  })

  it('learns of changes by its looks where notices never come, and says that it does not listen', async () => {
    await using relay = await relayed()
    relay.refuse('listen fleetgate_changes')
    const deaf = await throughRelay(relay)
    const one = await open()
    const heard = listenTo(deaf)
    await using clock = await startFairClock()
    const from = performance.now()
    const arrived = heard.next()
    await issue(one, 'a1', 'anna')
    await arrived
    expect(await clock.between(from)).toBeLessThan(1500)
    expect(heard.told.flat()).toMatchObject([{ seq: 1, user: 'anna' }])
    expect(deaf.changes.state().listening).toBe(false)
    expect(() => deaf.changes.assertFresh()).not.toThrow()
    expect(faults.length).toBeGreaterThan(0)
  })

  it('listens again after its connections were ended, and has missed nothing', async () => {
    const one = await open()
    const other = await open()
    await listening(other).toBe(true)
    const heard = listenTo(other)
    await database.query(`select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'fleetgate' and datname = current_database()`)
    await expect.poll(() => issue(one, 'a1', 'anna').then(() => 'issued', String)).toBe('issued')
    await expect.poll(() => heard.told.flat()).toHaveLength(1)
    await listening(other).toBe(true)
    let more = 0
    const changed = () => issue(one, `b${++more}`, `ben${more}`)
    await expect.poll(() => noticedAfter(other, changed)).toBeLessThan(400)
  })

  it('drops everything where changes were forgotten, and where the database fell back to an older state', async () => {
    await using relay = await relayed()
    const store = await throughRelay(relay)
    const other = await open()
    await issue(other, 'a1', 'anna')
    await expect.poll(() => store.changes.state().seq).toBe(1)
    const heard = listenTo(store)
    // Cut off meanwhile, so that it sees only what comes of it.
    relay.cut('closed')
    await issue(other, 'b1', 'ben')
    await issue(other, 'c1', 'cleo')
    await database.query('delete from fleetgate.changes where seq = 2')
    await database.query('update fleetgate.change_counter set pruned_seq = 2')
    relay.cut('open')
    await expect.poll(() => heard.told).toEqual(['unknown'])
    expect(store.changes.state().seq).toBe(3)

    await store.changes.refresh()
    await database.query(`update fleetgate.changes set user_name = 'other history' where seq = 3`)
    await issue(other, 'd1', 'dan')
    await expect.poll(() => heard.told).toEqual(['unknown', 'unknown'])
    await database.query(`update fleetgate.change_counter set seq = 1`)
    await expect.poll(() => heard.told.length).toBe(3)
    expect(heard.told[2]).toBe('unknown')
    expect(store.changes.state().seq).toBe(1)
  })

  it('is not fresh any more once nothing was heard for the fence, and is again when the database is back', async () => {
    await using relay = await relayed()
    const store = await throughRelay(relay)
    relay.cut('closed')
    const cutAt = performance.now()
    expect(() => store.changes.assertFresh()).not.toThrow()
    expect((await lastFresh(store)) - cutAt).toBeLessThan(2000)
    await expect(store.tokens.live('anna')).rejects.toThrow(StoreUnavailable)
    await expect(issue(store, 'a1', 'anna')).rejects.toThrow(StoreUnavailable)
    relay.cut('open')
    await expect.poll(() => isFresh(store), { interval: 10 }).toBe('fresh')
    await issue(store, 'a1', 'anna')
  })
})

describe('a PostgreSQL that stands still', () => {
  onADatabase()

  it('is refused within the fence, every call ends in time, and work goes on afterwards (A04, A13)', async () => {
    await using server = await startPostgres()
    await using own = await createDatabase(server.url)
    using _thawed = { [Symbol.dispose]: () => server.thaw() }
    const store = await open({ url: own.url, password: own.password })
    await issue(store, 'a1', 'anna')
    await server.freeze()
    await using clock = await startFairClock()
    const frozenAt = performance.now()
    const calls = [
      store.tokens.find('a1'),
      store.tokens.revoke('a1', start, 'cli:test'),
      store.changes.refresh(),
    ].map(async (call) => Promise.resolve(call).then(String, (error: unknown) => error))
    expect((await lastFresh(store)) - frozenAt).toBeLessThan(2000)
    for (const outcome of await Promise.all(calls)) {
      expect(outcome).toBeInstanceOf(StoreUnavailable)
    }
    expect(await clock.between(frozenAt)).toBeLessThan(6000)
    server.thaw()
    await expect.poll(() => isFresh(store), { interval: 10 }).toBe('fresh')
    await expect(store.tokens.revoke('a1', start, 'cli:test')).resolves.toBeDefined()
    await server.freeze()
    const closing = performance.now()
    await closeAll()
    expect(await clock.between(closing)).toBeLessThan(3000)
  })
})

function isFresh(store: Store): string {
  try {
    store.changes.assertFresh()
    return 'fresh'
  } catch (error) {
    return error instanceof Problem ? error.code : String(error)
  }
}

const manyTokens = `
  insert into grants select 'g' || n, '{}' from generate_series(1, 5000) n;
  insert into tokens (id, user_name, hash, grant_hash, issued_grant, created_at_ms)
    select 'u' || n, 'user-' || n, sha256(('u' || n)::bytea), 'g' || n, 'g' || n, 1 from generate_series(1, 5000) n;
  insert into api_users (name, definition, version, products, description, sought, created_at_ms, created_by,
    updated_at_ms, updated_by)
    select 'user-' || n, '{}', 1, '[]', '', 'user-' || n, 1, 'test', 1, 'test' from generate_series(1, 5000) n;
  insert into suspensions select 'user-' || n, 1, 'test', '' from generate_series(1, 5000) n;
  analyze;
`
