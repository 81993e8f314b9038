/** Pages of lists: how they are asked for, and how an answer says where the others are (RFC 8288). */

import { z } from '../../lib/shape.ts'
import type { AdminRequest } from '../operation.ts'

const number = (says: string, max: number) =>
  z
    .string()
    .regex(/^[1-9]\d{0,6}$/, `must be a whole number from 1 to ${max}`)
    .refine((value) => Number(value) <= max, `must be a whole number from 1 to ${max}`)
    .meta({ description: says, type: 'integer', minimum: 1, maximum: max })

export const pagingQuery = {
  page: number('1 is the first', 1_000_000),
  per_page: number('20 where it is not said', 100),
}

export type Paging = { page: number; perPage: number }

export function pagingOf({ query }: Pick<AdminRequest, 'query'>): Paging {
  return { page: Number(query['page'] ?? '1'), perPage: Number(query['per_page'] ?? '20') }
}

/** `path` is as the client wrote it, with its own words in the query. */
export function linksTo(
  path: string,
  { query }: Pick<AdminRequest, 'query'>,
  { page, perPage }: Paging,
  total: number,
): Readonly<Record<string, string>> {
  const last = Math.max(1, Math.ceil(total / perPage))
  const to = (number: number) => {
    const keys = new URLSearchParams({ ...query, page: `${number}`, per_page: `${perPage}` })
    return `<${path}?${keys.toString()}>`
  }
  const links = [
    ...(page > 1 ? [`${to(1)}; rel="first"`, `${to(Math.min(page - 1, last))}; rel="prev"`] : []),
    ...(page < last ? [`${to(page + 1)}; rel="next"`, `${to(last)}; rel="last"`] : []),
  ]
  return links.length === 0 ? {} : { link: links.join(', ') }
}
