/** Cuts lists into pages the way the cloud's list endpoints do. */
import type { Request } from 'express'

export interface Page<Item> {
  items: Item[]
  page: number
  perPage: number
  totalPages: number
  total: number
}

export function paginate<Item>(
  all: readonly Item[],
  query: Request['query'],
  { size = 25, most = 100 } = {},
): Page<Item> {
  const page = positive(query['page'], 1)
  // Documents say perPage, the JavaScript client sends per_page. A larger one is cut down, not refused.
  const perPage = Math.min(positive(query['perPage'] ?? query['per_page'], size), most)
  const total = all.length
  return {
    items: all.slice((page - 1) * perPage, page * perPage),
    page,
    perPage,
    totalPages: Math.ceil(total / perPage),
    total,
  }
}

function positive(value: unknown, otherwise: number): number {
  const number = Number(value)
  return Number.isSafeInteger(number) && number > 0 ? number : otherwise
}
