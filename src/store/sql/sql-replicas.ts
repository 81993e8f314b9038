/** Replicas in the database: who beats, by the database's own clock. */

import { integer, optional, text } from './rows.ts'
import type { ReplicaRow, ReplicaStore } from '../replica-store.ts'
import type { Sql, SqlRow } from './sql.ts'

const liveMs = 5_000
const keptMs = 86_400_000

/** @param nowMs SQL: the database's own clock */
export function createReplicaStore(sql: Sql, nowMs: string): ReplicaStore {
  const beat = `
    insert into replicas (name, boot, version, revision, git_commit, started_at_ms, beat_at_ms, skew_ms)
    values ($1, $2, $3, $4, $5, $6, ${nowMs}, cast($7 as bigint) - ${nowMs})
    on conflict (name, boot) do update set version = $3, revision = $4, git_commit = $5,
      beat_at_ms = ${nowMs}, skew_ms = cast($7 as bigint) - ${nowMs}`
  const forget = `delete from replicas where beat_at_ms < ${nowMs} - ${keptMs}`
  const superseded = `exists (
    select 1 from replicas as other where other.name = replicas.name and other.beat_at_ms > replicas.beat_at_ms and (
      replicas.beat_at_ms < other.started_at_ms - other.skew_ms or replicas.beat_at_ms < ${nowMs} - ${liveMs}))`
  const forgetBoots = `delete from replicas where name = $1 and ${superseded}`
  const list = `
    select name, boot, version, revision, git_commit, started_at_ms, beat_at_ms, skew_ms,
      ${nowMs} - beat_at_ms as silent_ms
    from replicas where not ${superseded} order by started_at_ms desc, name`
  return {
    async beat({ name, boot, version, revision, commit, startedAtMs, nowMs: now }) {
      await sql.transaction(async (tx) => {
        await tx.run(beat, [name, boot, version, revision, commit ?? null, startedAtMs, now])
      })
      // Apart, so that two that come back after a day never wait for each other's row.
      await sql.transaction((tx) => tx.run(forget))
      await sql.transaction((tx) => tx.run(forgetBoots, [name]))
    },
    async list() {
      const rows = await sql.read(list)
      const isLive = (row: SqlRow) => integer(row['silent_ms']) <= liveMs
      return {
        live: rows.filter(isLive).map(toReplicaRow),
        gone: rows.filter((row) => !isLive(row)).map(toReplicaRow),
      }
    },
  }
}

function toReplicaRow(row: SqlRow): ReplicaRow {
  return {
    name: text(row['name']),
    boot: text(row['boot']),
    version: text(row['version']),
    revision: text(row['revision']),
    commit: optional(row['git_commit'], text),
    startedAtMs: integer(row['started_at_ms']),
    beatAtMs: integer(row['beat_at_ms']),
    silentMs: integer(row['silent_ms']),
    skewMs: integer(row['skew_ms']),
  }
}
