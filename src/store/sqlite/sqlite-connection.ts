/** One connection to the SQLite file as the rest of the store sees it; made in `sqlite.ts`, which alone knows the driver. */

import { StoreUnavailable } from '../sql/sql.ts'
import type { SqlRow, SqlValue } from '../sql/sql.ts'

/** Another process holds the file's lock: worth another try. */
export class FileBusy extends StoreUnavailable {}

export interface SqliteConnection extends Disposable {
  /** One statement, prepared once per text. `$1` … stand for the values. @throws SqlConflict, StoreUnavailable */
  all(text: string, values?: readonly SqlValue[]): SqlRow[]
  /** Any number of statements, without values. @throws SqlConflict, StoreUnavailable */
  exec(text: string): void
  inTransaction(): boolean
  /** Another number whenever another connection has committed. @throws StoreUnavailable */
  dataVersion(): number
}
