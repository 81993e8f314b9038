/** The store on a PostgreSQL that several gates share, through the package `pg`; its only user. */

import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Clock } from '../../domain/clock.ts'
import type { Secret } from '../../lib/secret.ts'
import { changesAfter, toNewChanges } from '../sql/change-log.ts'
import type { Migration } from '../sqlite/migrations.ts'
import { postgresMigrations } from './migrations-postgres.ts'
import { createPostgresFeed, type Look } from './postgres-changes.ts'
import { toOpeningError, toStoreError } from './postgres-errors.ts'
import { keepListening, type Line } from './postgres-listen.ts'
import { migratePostgres, schema } from './postgres-migrate.ts'
import { sharesOf } from './postgres-shares.ts'
import { createPostgresSql, type Borrowed } from './postgres-sql.ts'
import { integer } from '../sql/rows.ts'
import { createSqlStore } from '../sql/sql-store.ts'
import { StoreUnavailable, type SqlRow, type SqlValue } from '../sql/sql.ts'
import type { Store } from '../store.ts'

export type PostgresStoreOptions = {
  /** `postgres://USER@HOST:PORT/DATABASE`, `sslmode` and the like in its query; the password apart. */
  url: string
  password: Secret | undefined
  /** At most: one hears notices, one looks for changes, the others work; at least 3 are taken. From 4 on some are kept free of tokens' look-ups. */
  connections: number
  clock: Clock
  /** Told of the first of each row of failures in the background; the store goes on trying. */
  onFault: (error: unknown) => void
  /** Tests only replace this to play an older or newer gate. */
  migrations?: readonly Migration[]
}

/** How long a look may take, and opening a connection for it. */
const lookMs = 1000
/** Past it, work is given up and rolled back: a writer may have to wait for others, a long list has its time. */
const workMs = 3000
const migrationMs = 60_000
const partingMs = 500

/**
 * Opens the store, creating and migrating it where needed.
 * @throws StoreUnusable for a database that cannot serve, with what to do; StoreUnavailable when it does not answer
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const { clock, onFault, connections, migrations = postgresMigrations } = options
  const sockets = new Set<Socket>()
  const config = driverConfig(options, sockets)
  const place = `PostgreSQL at ${config.host}:${config.port}, database ${config.database}`
  const hangUp = () => {
    for (const socket of sockets) socket.destroy()
  }
  await migrate(config, place, migrations).finally(hangUp)

  // Its connections are waited for as long as the writers before take; requests have a limit of their own.
  const working = { ...config, connectionTimeoutMillis: workMs }
  const shares = sharesOf(connections)
  const work = createPool(working, shares.others)
  // Strangers make a gate look tokens up: operators and beats must not wait in their line.
  const lookUps = shares.lookUps === 0 ? work : createPool(working, shares.lookUps)
  // A flood of look-ups must not keep the gate from looking whether they may be believed.
  const looker = createPool(config, 1)
  const sql = createPostgresSql({
    read: (text, values) => ask(work, text, values, workMs),
    lookUp: (text, values) => ask(lookUps, text, values, workMs),
    borrow: () => borrow(work),
    async end() {
      const ended = Promise.all([...new Set([work, lookUps, looker])].map((pool) => pool.end()))
      // A server that stands still never says good-bye.
      await Promise.race([ended, sleep(partingMs, undefined, { ref: false })])
      hangUp()
    },
  })
  const feed = createPostgresFeed({
    look: (known) => lookBy(looker, known),
    clock,
    timer,
    onFault,
    listening: () => listening.listening(),
  })
  try {
    await feed.start()
  } catch (error) {
    await sql[Symbol.asyncDispose]()
    throw toOpeningError(error, place)
  }
  const listening = keepListening({
    open: () => openLine(config, feed.noticed),
    onOpen: feed.lookSoon,
    onFault,
    pause: (ms, signal) => sleep(ms, undefined, { signal }),
  })
  return createSqlStore(
    sql,
    {
      ...feed,
      async [Symbol.asyncDispose]() {
        await listening[Symbol.asyncDispose]()
        await feed[Symbol.asyncDispose]()
      },
    },
    'postgres',
  )
}

function timer(afterMs: number, run: () => void): () => void {
  const timeout = setTimeout(run, afterMs)
  return () => clearTimeout(timeout)
}

function driverConfig(
  { url, password }: PostgresStoreOptions,
  sockets: Set<Socket>,
): pg.PoolConfig & Pick<pg.Client, 'host' | 'port' | 'database'> {
  // The driver reads the URL; left to it as a whole, an absent password in it would win over the one beside it.
  const { host, port, user, database, ssl } = new pg.Client({ connectionString: url })
  const types = new pg.TypeOverrides()
  for (const whole of [pg.types.builtins.INT8, pg.types.builtins.NUMERIC]) {
    types.setTypeParser(whole, Number)
  }
  types.setTypeParser(pg.types.builtins.BYTEA, (hex) =>
    Uint8Array.from(Buffer.from(hex.slice(2), 'hex')),
  )
  return {
    host,
    port,
    user,
    database,
    ssl,
    ...(password !== undefined && { password: () => password.reveal() }),
    types,
    application_name: 'fleetgate',
    // Whatever the server's own defaults are: our schema, and what is committed stays.
    options: `-c search_path=${schema} -c synchronous_commit=on`,
    connectionTimeoutMillis: lookMs,
    query_timeout: workMs,
    statement_timeout: workMs,
    lock_timeout: workMs,
    idle_in_transaction_session_timeout: workMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5000,
    stream() {
      const socket = new Socket()
      sockets.add(socket)
      return socket.once('close', () => sockets.delete(socket))
    },
  }
}

function createPool(config: pg.PoolConfig, max: number): pg.Pool {
  const pool = new pg.Pool({ ...config, max, idleTimeoutMillis: 60_000, maxLifetimeSeconds: 1800 })
  // A connection that breaks at rest is dropped by the pool; one that breaks at work fails its statement, which says so.
  const known = () => undefined
  pool.on('error', known)
  pool.on('connect', (client) => void client.on('error', known))
  return pool
}

async function ask(
  on: pg.Pool | pg.ClientBase,
  text: string,
  values: readonly SqlValue[] = [],
  withinMs: number = lookMs,
): Promise<SqlRow[]> {
  const query = { text, values: [...values], query_timeout: withinMs }
  try {
    const { rows } = await on.query<SqlRow>(query)
    return rows
  } catch (error) {
    throw toStoreError(error)
  }
}

async function borrow(pool: pg.Pool): Promise<Borrowed> {
  const client = await pool.connect().catch((error: unknown) => {
    throw toStoreError(error)
  })
  return {
    ask: (text, values) => ask(client, text, values, workMs),
    giveBack: (state) => client.release(state === 'broken'),
  }
}

async function lookBy(pool: pg.Pool, known: number): Promise<Look> {
  const rows = await ask(
    pool,
    `select pg_is_in_recovery() as standby, seen.* from (${changesAfter}) as seen order by seen.seq`,
    [known - 1],
  )
  if (rows[0]?.['standby'] === true) {
    throw new StoreUnavailable(
      'This PostgreSQL is a standby, which may know less than was committed.',
    )
  }
  return { ...toNewChanges(rows, known), forgotten: integer(rows[0]?.['pruned_seq']) }
}

async function openLine(config: pg.ClientConfig, noticed: (seq: number) => void): Promise<Line> {
  const client = new pg.Client(config)
  const broken = new Promise<void>((resolve) => {
    client.once('end', resolve)
    client.on('error', () => resolve())
  })
  client.on('notification', ({ payload }) => noticed(Number(payload)))
  const close = () => void client.end().catch(() => undefined)
  try {
    await client.connect()
    await ask(client, 'listen fleetgate_changes')
  } catch (error) {
    close()
    throw toStoreError(error)
  }
  return {
    broken,
    async ping() {
      await ask(client, 'select 1')
    },
    close,
  }
}

async function migrate(
  config: pg.ClientConfig,
  place: string,
  steps: readonly Migration[],
): Promise<void> {
  const client = new pg.Client({
    ...config,
    connectionTimeoutMillis: workMs,
    query_timeout: migrationMs,
    statement_timeout: migrationMs,
    lock_timeout: migrationMs,
  })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('begin isolation level read committed read write')
    const run = async (text: string, values: readonly SqlValue[] = []) =>
      (await client.query<SqlRow>(text, [...values])).rows
    await migratePostgres({ run, name: place, steps })
    await client.query('commit')
  } catch (error) {
    throw toOpeningError(error, place)
  } finally {
    const ended = client.end().catch(() => undefined)
    await Promise.race([ended, sleep(partingMs, undefined, { ref: false })])
  }
}
