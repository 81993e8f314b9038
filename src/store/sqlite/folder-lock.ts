/** Holds a folder for one process: by a lock on a file in it that the kernel lets go of when the process dies, however. */

import { hostname } from 'node:os'
import { join } from 'node:path'
import { integer, text } from '../sql/rows.ts'
import { connect } from './sqlite.ts'
import { FileBusy, type SqliteConnection } from './sqlite-connection.ts'
import { preparePrivateFile } from './sqlite-file.ts'

export type Holder = {
  /** The gate's name among replicas. */
  name: string
  nowMs: number
}

/** Who wants in waits so long for one that is just looking. */
const waitMs = 200

/**
 * SQLite's write lock on a file: it is the kernel's, so that none is left behind by SIGKILL, and it counts between
 * containers that share the folder, which know nothing of each other's process ids. Who holds it stands in the file,
 * which others may read meanwhile.
 * @throws Error that says who holds it
 */
export function lockFolder(folder: string, { name, nowMs }: Holder): Disposable {
  const path = join(folder, 'in-use.sqlite')
  preparePrivateFile(path)
  using opened = new DisposableStack()
  const db = opened.use(connect(path, waitMs))
  try {
    db.exec('begin immediate')
    db.exec(
      'create table if not exists holder (pid integer, host text, name text, since_ms integer)',
    )
    db.exec('delete from holder')
    db.all('insert into holder (pid, host, name, since_ms) values ($1, $2, $3, $4)', [
      process.pid,
      hostname(),
      name,
      nowMs,
    ])
    db.exec('commit')
    // For good: nothing is written under it any more, and only one can have it.
    db.exec('begin immediate')
  } catch (cause) {
    throw cause instanceof FileBusy ? new Error(heldBy(db), { cause }) : cause
  }
  opened.move()
  return db
}

function heldBy(db: SqliteConnection): string {
  const holder = holderOf(db)
  return `another gate is writing there${holder}. Stop it first, or give this one an "audit.folder" of its own.`
}

function holderOf(db: SqliteConnection): string {
  try {
    const [row] = db.all('select pid, host, name, since_ms from holder')
    if (row === undefined) return ''
    const since = new Date(integer(row['since_ms'])).toISOString()
    return `: "${text(row['name'])}", process ${integer(row['pid'])} on ${text(row['host'])}, since ${since}`
  } catch {
    // It has only just come, and nothing about it can be read yet.
    return ''
  }
}
