/** `Sql` on two connections to one SQLite file: reads are there at once, writers come one after the other. */

import { FileBusy } from './sqlite-connection.ts'
import type { Sql, Transaction } from '../sql/sql.ts'
import type { SqliteConnection } from './sqlite-connection.ts'

export type SqliteSqlOptions = {
  reader: SqliteConnection
  /** Its own busy timeout is zero: it waits here, where the event loop goes on meanwhile. */
  writer: SqliteConnection
  /** How long a transaction waits for another process's, ms. */
  busyTimeoutMs: number
  pause: (ms: number) => Promise<unknown>
  /** Between two transactions other requests have their turn: each waits for the disk. */
  nextTurn: () => Promise<unknown>
}

/** How often a writer that waits for another process looks again. */
const lookAgainMs = 5

export function createSqliteSql(options: SqliteSqlOptions): Sql {
  const { reader, writer, busyTimeoutMs, pause, nextTurn } = options
  let last: Promise<unknown> = Promise.resolve()
  const tx: Transaction = {
    run: async (text, values) => writer.all(text, values),
  }

  async function begin(): Promise<void> {
    for (let waitedMs = 0; ; waitedMs += lookAgainMs) {
      try {
        writer.exec('begin immediate')
        return
      } catch (error) {
        if (!(error instanceof FileBusy) || waitedMs >= busyTimeoutMs) throw error
        await pause(lookAgainMs)
      }
    }
  }

  async function inTransaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    await begin()
    try {
      const result = await work(tx)
      writer.exec('commit')
      return result
    } catch (error) {
      if (writer.inTransaction()) writer.exec('rollback')
      throw error
    }
  }

  return {
    read: (text, values) => reader.all(text, values),
    lookUp: (text, values) => reader.all(text, values),
    async transaction(work) {
      const mine = last.then(() => inTransaction(work))
      last = mine.then(nextTurn, nextTurn)
      return mine
    },
    async [Symbol.asyncDispose]() {
      await last
      reader[Symbol.dispose]()
      writer[Symbol.dispose]()
    },
  }
}
