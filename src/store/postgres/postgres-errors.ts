/** What a failure of PostgreSQL means to the store: a race lost, a statement of ours refused, or a database that cannot be asked. */

import { schema } from './postgres-migrate.ts'
import { StoreUnusable } from '../sql/rows.ts'
import { SqlConflict, StoreUnavailable } from '../sql/sql.ts'

const uniqueViolation = '23505'
/** Classes of SQLSTATE that blame the statement or its values; everything else may be over in a moment. */
const refused = /^(0A|21|22|23|2B|42)/

/**
 * Messages of the server name tables and constraints, never values of the password. Its `detail` quotes rows and is left out.
 */
export function toStoreError(error: unknown): Error {
  const state = sqlState(error)
  const said = saidBy(error)
  if (state === uniqueViolation) return new SqlConflict(said)
  if (state !== undefined && refused.test(state)) {
    return new Error(`PostgreSQL refused a statement of the store: ${said} (${state})`)
  }
  return new StoreUnavailable(`PostgreSQL cannot be asked: ${said}`)
}

/** Five characters, of errors that the server sent. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('severity' in error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

function saidBy(error: unknown): string {
  if (!(error instanceof Error)) return 'no reason given'
  // Of a name with several addresses, none of which took the connection.
  if (error instanceof AggregateError) return error.errors.map(saidBy).join('; ')
  return error.message
}

/** At the start somebody reads it: what to do belongs to it. @param place of the database, for people */
export function toOpeningError(error: unknown, place: string): Error {
  if (error instanceof StoreUnusable) return error
  const said = saidBy(error)
  // The driver's own words, where the server wants a password and there is none.
  if (/^SASL: .*password must be a (non-empty )?string/.test(said)) {
    return new StoreUnusable(
      `${place} wants a password, and none is configured. Set "store_password" to { env: NAME } or { file: PATH }.`,
    )
  }
  switch (sqlState(error)) {
    case '28000':
    case '28P01':
      return new StoreUnusable(`${place} lets us not in: ${said}. Check "store_password".`)
    case '3D000':
      return new StoreUnusable(`${place}: ${said}. Create it, with "createdb" for instance.`)
    case '42501':
      return new StoreUnusable(
        `${place}: ${said}. Let its owner run: create schema ${schema} authorization USER.`,
      )
    default:
      return new StoreUnavailable(
        `${place} cannot be asked: ${said}. Check that it runs, and "store" in the configuration.`,
      )
  }
}
