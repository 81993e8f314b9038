/** Lists of API users, a part at a time, in the order of names: which statements a query becomes. */

import { folded, userColumns } from './user-rows.ts'
import type { SqlValue } from './sql.ts'
import type { NamesQuery, UserQuery } from '../user-store.ts'

type Statement = { text: string; values: readonly SqlValue[] }
type Sought = Omit<UserQuery, 'offset' | 'limit'>
/** Where a value stands among those of the statement. */
type Place = (value: SqlValue) => string

/**
 * Product and organization are found by index, each in the order of names. A search is not: it reads every row of the
 * place it looks in, from an index of its own in SQLite, some tens of milliseconds for 100,000 API users.
 */
export function pageStatements(query: UserQuery): { rows: Statement; total: Statement } {
  const values: SqlValue[] = []
  const place: Place = (value) => `$${values.push(value)}`
  const { source, name, conditions } = from(query, place)
  const where = whereOf(conditions)
  const total = { text: `select count(*) as n from ${source} ${where}`, values: [...values] }
  // The names first, from indexes alone: the rows behind them are read for one page only.
  const names = `select ${name} from ${source} ${where} order by ${name}
    limit ${place(query.limit)} offset ${place(query.offset)}`
  const text = `
    select ${userColumns} from api_users
    left join suspensions on suspensions.name = api_users.name
    where api_users.name in (${names}) order by api_users.name`
  return { rows: { text, values }, total }
}

/** By the last name of the part before: none costs more for being far back. */
export function namesStatement({ after, limit, mentions, ...sought }: NamesQuery): Statement {
  const values: SqlValue[] = []
  const place: Place = (value) => `$${values.push(value)}`
  const mentioned =
    mentions === undefined
      ? '0'
      : `case when api_users.definition like ${place(`%${literal(mentions)}%`)} escape '!' then 1 else 0 end`
  const { source, name, conditions } = from(sought, place)
  if (after !== undefined) conditions.push(`${name} > ${place(after)}`)
  const text = `
    select api_users.name, api_users.displaced_at_ms, ${mentioned} as mentions
    from ${source} ${whereOf(conditions)} order by ${name} limit ${place(limit)}`
  return { text, values }
}

function from({ product, organization, search, within }: Sought, place: Place) {
  const by = product ?? within
  const name = by === undefined ? 'api_users.name' : 'api_user_products.name'
  const source =
    by === undefined
      ? 'api_users'
      : 'api_user_products join api_users on api_users.name = api_user_products.name'
  const conditions = [
    ...(by === undefined ? [] : [`api_user_products.product = ${place(by)}`]),
    // Each of its products is that one; who has an organization has none.
    ...(within === undefined
      ? []
      : [
          `not exists (select 1 from api_user_products as other
            where other.name = api_user_products.name and other.product <> ${place(within)})`,
        ]),
    ...(organization === undefined ? [] : [`api_users.organization = ${place(organization)}`]),
    ...(search === undefined
      ? []
      : [`api_users.sought like ${place(`%${literal(folded(search))}%`)} escape '!'`]),
  ]
  return { source, name, conditions }
}

function whereOf(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`
}

/** None of its characters stands for another. */
function literal(text: string): string {
  return text.replace(/[!%_]/g, '!$&')
}
