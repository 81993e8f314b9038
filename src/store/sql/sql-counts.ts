/** Counts of limits in the database. */

import { integer, text } from './rows.ts'
import type { CountStore, KeptCount } from '../count-store.ts'
import type { Sql, SqlValue } from './sql.ts'
import type { Write } from './sql-write.ts'

const list = `
  select limit_key, calls, ends_at_ms from limit_counts
  where replica = $1 and ends_at_ms > $2 order by limit_key`

/** Counts written by one statement; a shorter list is filled up, so that the statement is always the same. */
const countsAtOnce = 128
const place = (n: number) =>
  `(cast($${3 * n + 2} as text), cast($${3 * n + 3} as bigint), cast($${3 * n + 4} as bigint))`
const keep = `
  insert into limit_counts (replica, limit_key, calls, ends_at_ms)
  select cast($1 as text), column1, column2, column3
  from (values ${Array.from({ length: countsAtOnce }, (_, n) => place(n)).join(', ')}) as counted
  where column1 is not null
  on conflict (replica, limit_key) do update set calls = excluded.calls, ends_at_ms = excluded.ends_at_ms`

/** Ends are by the clock of the gate that counts, which may be behind. */
const graceMs = 3_600_000

/** @param nowMs SQL: the database's own clock */
export function createCountStore(sql: Sql, write: Write, nowMs: string): CountStore {
  const forget = `delete from limit_counts where ends_at_ms < ${nowMs} - ${graceMs}`
  return {
    async list(replica, atMs) {
      const rows = await sql.read(list, [replica, atMs])
      return rows.map((row) => ({
        key: text(row['limit_key']),
        calls: integer(row['calls']),
        endsAtMs: integer(row['ends_at_ms']),
      }))
    },
    async keep(replica, counts) {
      for (let at = 0; at < counts.length; at += countsAtOnce) {
        const values = filled(counts.slice(at, at + countsAtOnce))
        await write.quietly(async (tx) => {
          if (at === 0) await tx.run(forget)
          await tx.run(keep, [replica, ...values])
        })
      }
    },
  }
}

function filled(counts: readonly KeptCount[]): SqlValue[] {
  const given = counts.flatMap(({ key, calls, endsAtMs }): SqlValue[] => [key, calls, endsAtMs])
  const missing = 3 * (countsAtOnce - counts.length)
  return [...given, ...Array.from({ length: missing }, () => null)]
}
