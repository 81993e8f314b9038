/** The store on one SQLite file, through Node's own driver; its only user. */

import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { systemClock, type Clock } from '../../domain/clock.ts'
import { migrations } from './migrations.ts'
import { StoreUnusable, integer } from '../sql/rows.ts'
import { SqlConflict, StoreUnavailable } from '../sql/sql.ts'
import { createSqlStore } from '../sql/sql-store.ts'
import { createSqliteChanges } from './sqlite-changes.ts'
import { FileBusy, type SqliteConnection } from './sqlite-connection.ts'
import { toOpeningError } from './sqlite-errors.ts'
import { preparePrivateFile } from './sqlite-file.ts'
import { migrateSqlite } from './sqlite-migrate.ts'
import { createSqliteSql } from './sqlite-sql.ts'
import type { Migration } from './migrations.ts'

import type { Store } from '../store.ts'

export type SqliteStoreOptions = {
  path: string
  /** How long a call waits for another process's write, ms. Other requests go on meanwhile. */
  busyTimeoutMs?: number
  /**
   * Calls back when this turn of the event loop is over, `setImmediate` in a gate: what other processes changed is then
   * looked for once a turn, and is seen at most one turn late. Own changes are seen at once. Absent: on every call.
   */
  onTurnEnd?: (callback: () => void) => void
  /** For status pages only: when the last look was. */
  clock?: Pick<Clock, 'now'>
  /** Tests only replace this to play an older or newer gate. */
  migrations?: readonly Migration[]
}

const openingTimeoutMs = 10_000
/** Reads wait only while a crashed process's log is put in order, or the file is locked from outside. */
const readTimeoutMs = 1_000
/** Room for the upper pages of all indexes a look-up goes through. */
const readCacheKb = 8_192

/**
 * Opens the store, creating and migrating it where needed.
 * @throws StoreUnusable with what to do, for a file of a newer gate or of another program as well
 */
export function openSqliteStore(options: SqliteStoreOptions): Store {
  try {
    return open(options)
  } catch (error) {
    throw toOpeningError(error, options.path)
  }
}

function open(options: SqliteStoreOptions): Store {
  const { path, busyTimeoutMs = 1_000, onTurnEnd, clock = systemClock } = options
  preparePrivateFile(path)
  using opened = new DisposableStack()
  const writer = opened.use(connect(path))
  writer.exec('pragma foreign_keys = on')
  migrateSqlite(writer, path, options.migrations ?? migrations)
  writeAhead(writer, path)
  // It waits by itself, without standing in the event loop's way.
  writer.exec('pragma synchronous = full; pragma busy_timeout = 0')
  const reader = opened.use(connect(path))
  reader.exec(
    `pragma query_only = on; pragma busy_timeout = ${readTimeoutMs}; pragma cache_size = ${-readCacheKb}`,
  )
  const feed = createSqliteChanges({ reader, clock, onTurnEnd })
  const sql = createSqliteSql({ reader, writer, busyTimeoutMs, pause, nextTurn })
  opened.move()
  return createSqlStore(sql, feed, 'sqlite')
}

function writeAhead(db: SqliteConnection, path: string): void {
  const mode = db.all('pragma journal_mode = wal')[0]?.['journal_mode']
  if (mode !== 'wal') {
    throw new StoreUnusable(
      `${path} lies on a file system without shared memory; use a local disk.`,
    )
  }
}

/** @param timeoutMs how long a call waits for another process's lock */
export function connect(path: string, timeoutMs: number = openingTimeoutMs): SqliteConnection {
  const db = answering(() => new DatabaseSync(path, { timeout: timeoutMs }))
  /** By text; the texts are this program's own, a few dozen. */
  const statements = new Map<string, StatementSync>()
  // Asked twice a request: an array costs half of an object.
  const dataVersion = answering(() => db.prepare('pragma data_version'))
  dataVersion.setReturnArrays(true)

  function prepared(text: string): StatementSync {
    const known = statements.get(text)
    if (known !== undefined) return known
    const statement = db.prepare(text.replace(/\$(\d+)/g, '?$1'))
    statements.set(text, statement)
    return statement
  }

  return {
    all: (text, values = []) => answering(() => prepared(text).all(...values)),
    exec: (text) => answering(() => db.exec(text)),
    inTransaction: () => db.isOpen && db.isTransaction,
    dataVersion: () =>
      answering(() => {
        const row: unknown = dataVersion.get()
        return integer(Array.isArray(row) ? row[0] : undefined)
      }),
    [Symbol.dispose]() {
      if (db.isOpen) db.close()
    },
  }
}

/** Of SQLite's result codes the primary ones: busy, locked. */
const busy = new Set([5, 6])
/** No memory, read-only, I/O, corrupt, full, cannot open, no database. */
const unavailable = new Set([7, 8, 10, 11, 13, 14, 26])
/** Extended codes: a primary key, a unique index. */
const taken = new Set([1555, 2067])

function answering<T>(ask: () => T): T {
  try {
    return ask()
  } catch (error) {
    throw translated(error)
  }
}

function translated(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error
  const { code, message } = error
  // The connection is closed: whoever asks is late.
  if (code === 'ERR_INVALID_STATE') return new StoreUnavailable(message, { cause: error })
  const result = 'errcode' in error ? error.errcode : undefined
  if (typeof result !== 'number') return error
  if (taken.has(result)) return new SqlConflict(message, { cause: error })
  if (busy.has(result & 0xff)) return new FileBusy(message, { cause: error })
  if (unavailable.has(result & 0xff)) return new StoreUnavailable(message, { cause: error })
  return error
}
