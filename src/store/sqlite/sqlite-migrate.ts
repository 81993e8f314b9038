/** Brings a SQLite file to the shape this version knows, and refuses files that are not its own. */

import { StoreUnusable, integer } from '../sql/rows.ts'
import { applicationId } from './sqlite-file.ts'
import type { Migration } from './migrations.ts'
import type { SqliteConnection } from './sqlite-connection.ts'

/**
 * In one immediate transaction: of two processes that start at once, the second waits and finds nothing to do.
 * @throws StoreUnusable for a file of a newer gate or of another program
 */
export function migrateSqlite(
  db: SqliteConnection,
  path: string,
  steps: readonly Migration[],
): void {
  db.exec('begin immediate')
  try {
    claim(db, path)
    advance(db, path, steps)
    db.exec('commit')
  } catch (error) {
    if (db.inTransaction()) db.exec('rollback')
    throw error
  }
}

function claim(db: SqliteConnection, path: string): void {
  const owner = number(db, 'select application_id as n from pragma_application_id')
  const tables = number(db, 'select count(*) as n from sqlite_schema')
  if (owner !== applicationId && (owner !== 0 || tables > 0)) {
    throw new StoreUnusable(
      `${path} is a database of another program; set "store" to a file of its own.`,
    )
  }
  db.exec(`pragma application_id = ${applicationId}`)
  db.exec('create table if not exists migrations (version integer primary key) strict')
}

function advance(db: SqliteConnection, path: string, steps: readonly Migration[]): void {
  const version = number(db, 'select coalesce(max(version), 0) as n from migrations')
  const known = steps.at(-1)?.version ?? 0
  if (version > known) {
    throw new StoreUnusable(
      `${path} has store version ${version}, written by a newer fleetgate; this one knows up to ${known}. ` +
        'Run the newer fleetgate, or restore the copy of the file made before the upgrade.',
    )
  }
  for (const step of steps.filter((each) => each.version > version)) {
    db.exec(step.sql)
    db.all('insert into migrations (version) values ($1)', [step.version])
  }
}

function number(db: SqliteConnection, text: string): number {
  return integer(db.all(text)[0]?.['n'])
}
