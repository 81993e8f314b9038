/** Reads what has changed since a number: for the feeds of both databases, and for who writes it down. */

import { changeKinds } from '../changes.ts'
import { StoreUnusable, integer, optional, text } from './rows.ts'
import type { Change, ChangeHistory, ChangePage } from '../changes.ts'
import type { Sql, SqlRow } from './sql.ts'

/** `changes`: those after the number that was asked with, in order; `seq`: the number of the last there is. */
export type NewChanges = { seq: number; changes: readonly Change[] | 'unknown' }

/** More than these at once cost less to forget everything for. */
const mostAtOnce = 10_000

/** One statement, so one state of the database: `$1` is the last number taken in. */
export const changesAfter = `
  select change_counter.seq as last_seq, change_counter.pruned_seq,
    changes.seq, changes.at_ms, changes.user_name, changes.kind, changes.by_whom
  from change_counter left join changes on changes.seq > $1
  order by changes.seq limit ${mostAtOnce + 1}`

/**
 * The answer to `changesAfter`. What cannot be told (it was forgotten, there is too much of it, a newer gate has kinds
 * of its own, the database is an older copy) is `unknown`.
 * @throws StoreUnusable when a column does not hold what the migrations say
 */
export function toNewChanges(rows: readonly SqlRow[], after: number): NewChanges {
  const [row] = rows
  if (row === undefined) throw new StoreUnusable('The store has lost its counter of changes.')
  const seq = integer(row['last_seq'])
  if (seq < after || integer(row['pruned_seq']) > after || rows.length > mostAtOnce) {
    return { seq, changes: 'unknown' }
  }
  const changes: Change[] = []
  for (const each of rows) {
    if (each['seq'] === null) continue
    const kind = changeKinds.find((known) => known === each['kind'])
    if (kind === undefined) return { seq, changes: 'unknown' }
    changes.push({
      seq: integer(each['seq']),
      atMs: integer(each['at_ms']),
      user: text(each['user_name']),
      kind,
      by: text(each['by_whom']),
    })
  }
  return { seq, changes }
}

const page = `
  select change_counter.seq as last_seq, change_counter.pruned_seq, found.*
  from change_counter left join (
    select seq, at_ms, user_name, kind, by_whom, detail from changes where seq > $1 order by seq limit $2
  ) as found on 1 = 1
  order by found.seq`

export function createChangeHistory(sql: Pick<Sql, 'read'>): ChangeHistory {
  return {
    async after(seq, limit) {
      return toPage(await sql.read(page, [seq, limit]))
    },
  }
}

/** @throws StoreUnusable when a column does not hold what the migrations say */
function toPage(rows: readonly SqlRow[]): ChangePage {
  const [row] = rows
  if (row === undefined) throw new StoreUnusable('The store has lost its counter of changes.')
  return {
    lastSeq: integer(row['last_seq']),
    prunedSeq: integer(row['pruned_seq']),
    changes: rows
      .filter((each) => each['seq'] !== null)
      .map((each) => ({
        seq: integer(each['seq']),
        atMs: integer(each['at_ms']),
        user: text(each['user_name']),
        kind: text(each['kind']),
        by: text(each['by_whom']),
        detail: optional(each['detail'], toDetail),
      })),
  }
}

function toDetail(value: unknown): Readonly<Record<string, unknown>> {
  const detail: unknown = JSON.parse(text(value))
  if (typeof detail === 'object' && detail !== null && !Array.isArray(detail)) return { ...detail }
  throw new StoreUnusable('The store holds a change whose detail is not a mapping.')
}
