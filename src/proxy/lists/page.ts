/** Which page of a list is asked for, and the numbers beside it. Pure. */

import type { Paging } from '../../domain/catalog.ts'
import { Problem } from '../../domain/problem.ts'
import type { QueryEntry } from '../../domain/target.ts'

export type Page = { page: number; size: number }

/** Billions of pages are nobody's; more digits would leave exact arithmetic. */
const positive = /^[1-9]\d{0,8}$/

/**
 * Paging keys and the rest of the query, which is what the list is asked for by.
 * @throws Problem `invalid_request` where a number is none, or two keys say the size
 */
export function pageOf(
  query: readonly QueryEntry[],
  paging: Paging,
): { page: Page; filters: readonly QueryEntry[] } {
  const keys = new Set([paging.page, ...paging.size])
  const sizes = query.filter(({ key }) => paging.size.includes(key))
  if (sizes.length > 1) {
    throw new Problem('invalid_request', { says: 'The size of the page is given twice.' })
  }
  const asked = query.find(({ key }) => key === paging.page)
  const size = numberOf(sizes[0]) ?? paging.defaultSize
  return {
    page: { page: numberOf(asked) ?? 1, size: Math.min(size, paging.maxSize) },
    filters: query.filter(({ key }) => !keys.has(key)),
  }
}

function numberOf(entry: QueryEntry | undefined): number | undefined {
  if (entry === undefined) return undefined
  if (positive.test(entry.value)) return Number(entry.value)
  throw new Problem('invalid_request', { says: 'A page or its size is no positive number.' })
}

/** Positions of the page's items; beyond the end there are none. */
export function rangeOf({ page, size }: Page, total: number): { from: number; to: number } {
  const from = Math.min((page - 1) * size, total)
  return { from, to: Math.min(from + size, total) }
}

/** Dotted path in the answer to the number that stands there. */
export function numbersOf(
  { meta }: Pick<Paging, 'meta'>,
  { page, size }: Page,
  total: number,
): ReadonlyMap<string, number> {
  const numbers = { page, size, pages: Math.ceil(total / size), total }
  const found = new Map<string, number>()
  for (const word of ['page', 'size', 'pages', 'total'] as const) {
    const path = meta[word]
    if (path !== undefined) found.set(path, numbers[word])
  }
  return found
}
