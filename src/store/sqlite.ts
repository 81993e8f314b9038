/** The token store on one SQLite file, through Node's own driver; its only user. */

import { DatabaseSync } from 'node:sqlite'
import { migrations } from './migrations.ts'
import { StoreUnusable, firstColumn, integer, text, toRow } from './rows.ts'
import { preparePrivateFile } from './sqlite-file.ts'
import { TokenConflict } from './token-store.ts'
import type { Migration } from './migrations.ts'
import type { TokenStore } from './token-store.ts'

export type SqliteStoreOptions = {
  path: string
  /** How long a call waits for another process's write, in ms; the event loop stands still meanwhile. */
  busyTimeoutMs?: number
  /**
   * Calls back when this turn of the event loop is over, `setImmediate` in a gate: what other processes changed is then
   * looked for once a turn, and is seen at most one turn late. Own changes are seen at once. Absent: on every call.
   */
  onTurnEnd?: (callback: () => void) => void
  /** Tests only replace this to play an older or newer gate. */
  migrations?: readonly Migration[]
}

/** Marks a file as ours, so that a wrong path never migrates somebody else's database. */
const applicationId = 0x66_6c_67_74
const openingTimeoutMs = 10_000
const columns = `id, user, hash, grant_hash, created_at_ms, expires_at_ms, idle_ms, last_used_at_ms, revoked_at_ms`

/**
 * Opens the store, creating and migrating it where needed.
 * @throws StoreUnusable for a file of a newer gate or of another program
 */
export function openSqliteStore(options: SqliteStoreOptions): TokenStore {
  preparePrivateFile(options.path)
  const db = new DatabaseSync(options.path, { timeout: openingTimeoutMs })
  try {
    db.exec('pragma foreign_keys = on')
    migrate(db, options.path, options.migrations ?? migrations)
    const mode = db.prepare('pragma journal_mode = wal').get()?.['journal_mode']
    if (mode !== 'wal') {
      throw new StoreUnusable(
        `${options.path} lies on a file system without shared memory; use a local disk.`,
      )
    }
    db.exec('pragma synchronous = full')
    db.exec(`pragma busy_timeout = ${Math.trunc(options.busyTimeoutMs ?? 1_000)}`)
    return storeOn(db, options.onTurnEnd)
  } catch (error) {
    db.close()
    throw error
  }
}

function migrate(db: DatabaseSync, path: string, steps: readonly Migration[]): void {
  // One immediate transaction: of two processes that start at once, the second waits and finds nothing to do.
  inTransaction(db, () => {
    const owner = integer(db.prepare('pragma application_id').get()?.['application_id'])
    const tables = integer(db.prepare('select count(*) as n from sqlite_schema').get()?.['n'])
    if (owner !== applicationId && (owner !== 0 || tables > 0)) {
      throw new StoreUnusable(
        `${path} is a database of another program; set store.path to a file of its own.`,
      )
    }
    db.exec(`pragma application_id = ${applicationId}`)
    db.exec('create table if not exists migrations (version integer primary key) strict')
    const latest = db.prepare('select coalesce(max(version), 0) as version from migrations').get()
    const version = integer(latest?.['version'])
    const known = steps.at(-1)?.version ?? 0
    if (version > known) {
      throw new StoreUnusable(
        `${path} has store version ${version}, written by a newer fleetgate; this one knows up to ${known}. ` +
          'Run the newer fleetgate, or restore the copy of the file made before the upgrade.',
      )
    }
    for (const step of steps.filter((each) => each.version > version)) {
      db.exec(step.sql)
      db.prepare('insert into migrations (version) values (?)').run(step.version)
    }
  })
}

function storeOn(db: DatabaseSync, onTurnEnd: SqliteStoreOptions['onTurnEnd']): TokenStore {
  const dataVersion = db.prepare('pragma data_version')
  dataVersion.setReturnArrays(true)
  const find = db.prepare(`select ${columns} from tokens where id = ?`)
  const live = db.prepare(`select ${columns} from tokens where user = ? and revoked_at_ms is null`)
  const list = db.prepare(`select ${columns} from tokens order by created_at_ms, id`)
  const keepGrant = db.prepare('insert or ignore into grants (hash, json) values (?, ?)')
  const grant = db.prepare('select json from grants where hash = ?')
  const prune = db.prepare(
    'delete from grants where not exists (select 1 from tokens where issued_grant = grants.hash)',
  )
  const insert = db.prepare(
    `insert into tokens (${columns}, issued_grant) values (?, ?, ?, ?, ?, ?, ?, ?, null, ?)`,
  )
  const revoke = db.prepare(
    'update tokens set revoked_at_ms = ?, issued_grant = null where id = ? and revoked_at_ms is null',
  )
  const retire = db.prepare(
    'update tokens set revoked_at_ms = ?, issued_grant = null where id = ? and user = ? and revoked_at_ms is null',
  )
  const extend = db.prepare(
    'update tokens set grant_hash = ?, issued_grant = ?, expires_at_ms = ? where id = ? and revoked_at_ms is null',
  )
  const touch = db.prepare(
    'update tokens set last_used_at_ms = ? where id = ? and (last_used_at_ms is null or last_used_at_ms < ?)',
  )
  let epoch = 0
  let seenVersion: unknown
  let lookedThisTurn = false
  const turnEnded = () => {
    lookedThisTurn = false
  }

  /** `data_version` moves for commits of other connections only; our own writes are counted here. */
  function change<T>(work: () => T): T {
    try {
      return inTransaction(db, work)
    } finally {
      epoch++
    }
  }

  return {
    epoch() {
      if (lookedThisTurn) return epoch
      const version = firstColumn(dataVersion.get())
      if (version !== seenVersion) {
        seenVersion = version
        epoch++
      }
      if (onTurnEnd !== undefined) {
        lookedThisTurn = true
        onTurnEnd(turnEnded)
      }
      return epoch
    },
    find: (id) => toRow(find.get(id)),
    live: (user) => toRow(live.get(user)),
    list: () => list.all().flatMap((row) => toRow(row) ?? []),
    grant(hash) {
      const json = grant.get(hash)?.['json']
      return json === undefined ? undefined : text(json)
    },
    replace(row, grantJson, previous) {
      change(() => {
        if (
          previous !== undefined &&
          retire.run(row.createdAtMs, previous, row.user).changes !== 1
        ) {
          throw new TokenConflict(
            `The token ${previous} of ${row.user} is no longer the valid one.`,
          )
        }
        if (live.get(row.user) !== undefined) {
          throw new TokenConflict(`${row.user} has a valid token already.`)
        }
        keepGrant.run(row.grantHash, grantJson)
        insert.run(
          row.id,
          row.user,
          row.hash,
          row.grantHash,
          row.createdAtMs,
          row.expiresAtMs ?? null,
          row.idleMs ?? null,
          row.lastUsedAtMs ?? null,
          row.grantHash,
        )
        prune.run()
      })
    },
    extend(id, grantHash, grantJson, expiresAtMs) {
      change(() => {
        keepGrant.run(grantHash, grantJson)
        if (extend.run(grantHash, grantHash, expiresAtMs ?? null, id).changes !== 1) {
          throw new TokenConflict(`The token ${id} is no longer valid.`)
        }
        prune.run()
      })
    },
    revoke: (id, atMs) =>
      change(() => {
        const changed = revoke.run(atMs, id).changes === 1
        if (changed) prune.run()
        return changed
      }),
    touch(used) {
      // Uses change nobody's rights, so the epoch of this process stands.
      inTransaction(db, () => {
        for (const [id, atMs] of used) touch.run(atMs, id, atMs)
      })
    },
    [Symbol.dispose]() {
      if (db.isOpen) db.close()
    },
  }
}

function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('begin immediate')
  try {
    const result = work()
    db.exec('commit')
    return result
  } catch (error) {
    if (db.isTransaction) db.exec('rollback')
    throw error
  }
}
