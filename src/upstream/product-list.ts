/** The products that an organization owns, read from the catalog's own list of them. */

import type { AnswerSpec, Catalog, Paging, Pattern, Route } from '../domain/catalog.ts'
import { valueAtPath } from '../lib/cloud-json.ts'
import { pickText, unavailable } from './answer-facts.ts'
import type { DirectoryClient, Get } from './directory-client.ts'

type ListSpec = Extract<AnswerSpec, { kind: 'list' }>

/** Beyond this many pages something is wrong: an organization has few products. */
const MAX_PAGES = 50

export function createProductList(
  { resources, routes }: Pick<Catalog, 'resources' | 'routes'>,
  get: Get,
): DirectoryClient['products'] {
  const list = findList(routes)

  return async (organization, user) => {
    if (list === undefined) throw unavailable('the catalog has no list of products')
    const { answer, path } = list
    const { items } = answer
    const base = pathOf(path, organization)
    const place = { type: 'organization', organization } as const
    const absent = resources.organization.lookup?.absent ?? []
    const ids = new Set<string>()
    for (let page = 1; page <= MAX_PAGES; page += 1) {
      const query = items?.paging === undefined ? '' : pageQuery(items.paging, page)
      // oxlint-disable-next-line no-await-in-loop -- one page says whether there is another
      const root = await get({ target: base + query, place, absent, user })
      if (root === undefined) return undefined
      const found = valueAtPath(root, answer.at)
      if (!Array.isArray(found)) throw unavailable('a list of products without a list')
      for (const item of found) ids.add(productIn(item, items?.id ?? 'id'))
      if (items?.paging === undefined || isLast(root, found.length, page, items.paging)) {
        return [...ids]
      }
    }
    throw unavailable('a list of products without an end')
  }

  function productIn(item: unknown, path: string): string {
    const id = pickText(item, path)
    // Less than the whole list would be a smaller organization than it is.
    if (id === undefined || !resources.product.id.test(id))
      throw unavailable('a product without id')
    return id
  }
}

function findList(routes: readonly Route[]): { answer: ListSpec; path: Pattern } | undefined {
  for (const { method, kind, upstream, answer } of routes) {
    const isList = answer.kind === 'list' && answer.item === 'product'
    if (!isList || method !== 'GET' || kind.kind !== 'upstream') continue
    const parameters = upstream.segments.flatMap((segment) =>
      'parameter' in segment ? [segment.parameter] : [],
    )
    if (parameters.join() === 'organization') return { answer, path: upstream }
  }
  return undefined
}

function pathOf({ segments }: Pattern, organization: string): string {
  return segments
    .map((part) => `/${encodeURIComponent('literal' in part ? part.literal : organization)}`)
    .join('')
}

function pageQuery({ page, size, maxSize }: Paging, number: number): string {
  const [key] = size
  return `?${page}=${number}${key === undefined ? '' : `&${key}=${maxSize}`}`
}

function isLast(root: unknown, count: number, page: number, { meta, maxSize }: Paging): boolean {
  const pages = meta.pages === undefined ? undefined : valueAtPath(root, meta.pages)
  return typeof pages === 'number' ? page >= pages : count < maxSize
}
