/** The store over any database that speaks `Sql`: every statement is written once, for SQLite and PostgreSQL. */

import { createChangeHistory } from './change-log.ts'
import { createCountStore } from './sql-counts.ts'
import { createOperatorStore } from './sql-operators.ts'
import { createReplicaStore } from './sql-replicas.ts'
import { createTokenStore } from './sql-tokens.ts'
import { createUserStore } from './sql-users.ts'
import { createWrite } from './sql-write.ts'
import type { ChangeFeed } from '../changes.ts'
import type { Sql } from './sql.ts'
import type { Store } from '../store.ts'

/**
 * The store's own times (beats of replicas, age of changes, which sign-ins are over) are those of the database's clock:
 * gates whose clocks differ agree on it.
 */
const databaseClock: Readonly<Record<Store['kind'], string>> = {
  sqlite: "cast(unixepoch('subsec') * 1000 as integer)",
  postgres: 'cast(extract(epoch from clock_timestamp()) * 1000 as bigint)',
}

/** Takes over both: they are disposed of with the store, the feed first. */
export function createSqlStore(sql: Sql, feed: ChangeFeed, kind: Store['kind']): Store {
  const nowMs = databaseClock[kind]
  const write = createWrite(sql, feed, nowMs)
  return {
    kind,
    tokens: createTokenStore(sql, write),
    users: createUserStore(sql, write),
    operators: createOperatorStore(sql, write, nowMs),
    replicas: createReplicaStore(sql, nowMs),
    counts: createCountStore(sql, write, nowMs),
    changes: feed,
    history: createChangeHistory(sql),
    async [Symbol.asyncDispose]() {
      await feed[Symbol.asyncDispose]()
      await sql[Symbol.asyncDispose]()
    },
  }
}
