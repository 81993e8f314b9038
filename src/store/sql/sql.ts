/** What the store asks of a database: SQLite and PostgreSQL speak it, so that every statement is written once. */

import type { MaybePromise } from '../../lib/maybe-promise.ts'

export type SqlValue = string | number | null | Uint8Array
/** Integers are numbers, blobs are Uint8Array, whatever the driver calls them. */
export type SqlRow = Readonly<Record<string, unknown>>

export interface Transaction {
  run(text: string, values?: readonly SqlValue[]): Promise<SqlRow[]>
}

export interface Sql extends AsyncDisposable {
  /**
   * A query outside any transaction; `$1` … stand for the values, each once or more. Rows of SQLite are there at once.
   * @throws StoreUnavailable when the database does not answer in time
   */
  read(text: string, values?: readonly SqlValue[]): MaybePromise<SqlRow[]>
  /** `read` for what anybody's request brings along, so that a flood of them holds up nothing but each other. */
  lookUp(text: string, values?: readonly SqlValue[]): MaybePromise<SqlRow[]>
  /**
   * All or nothing. Writers of all processes come one after the other (SQLite: one file lock; PostgreSQL: the row of
   * the change counter), so that changes become visible in the order of their numbers.
   * @throws whatever `work` throws, after rolling back; SqlConflict for a broken unique index; StoreUnavailable
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
}

/** A unique index refused a row: somebody else was first. */
export class SqlConflict extends Error {
  override readonly name = 'SqlConflict'
}

/** The database cannot be asked now. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
}
