/** Lists of API users, a page at a time, in the order of names: which statements a query becomes. */

import { folded, userColumns } from './user-rows.ts'
import type { SqlValue } from './sql.ts'
import type { UserQuery } from './user-store.ts'

type Statement = { text: string; values: readonly SqlValue[] }

/**
 * Product and organization are found by index, each in the order of names. A search is not: it reads every row of the
 * place it looks in, from an index of its own in SQLite, some tens of milliseconds for 100,000 API users.
 */
export function pageStatements(query: UserQuery): { rows: Statement; total: Statement } {
  const values: SqlValue[] = []
  const place = (value: SqlValue) => `$${values.push(value)}`
  const { product, organization, search } = query
  const conditions = [
    ...(product === undefined ? [] : [`api_user_products.product = ${place(product)}`]),
    ...(organization === undefined ? [] : [`api_users.organization = ${place(organization)}`]),
    ...(search === undefined ? [] : [`api_users.sought like ${place(pattern(search))} escape '!'`]),
  ]
  const where = conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`
  const source =
    product === undefined
      ? 'api_users'
      : 'api_user_products join api_users on api_users.name = api_user_products.name'
  const name = product === undefined ? 'api_users.name' : 'api_user_products.name'
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

function pattern(search: string): string {
  return `%${folded(search).replace(/[!%_]/g, '!$&')}%`
}
