/** What makes two questions the same, and how one is put to the cloud. */

import type { QueryEntry } from '../../domain/target.ts'
import type { ListQuestion } from '../fleet-lists.ts'

/** Equal for questions that the cloud answers alike. The credential follows from the place. */
export function keyOf({ path, query, place }: ListQuestion): string {
  const byKey = query.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  const around = [place.organization ?? '', place.product ?? '', place.device ?? '']
  return JSON.stringify([path, byKey.map(({ key, value }) => [key, value]), around])
}

/** Target of one page. Lists that are not paged have one. */
export function targetOf({ answer, path, query }: ListQuestion, page: number): string {
  const { paging } = answer.items
  const [size] = paging?.size ?? []
  const entries = [...query]
  if (paging !== undefined) {
    if (size !== undefined) entries.push({ key: size, value: String(paging.maxSize) })
    entries.push({ key: paging.page, value: String(page) })
  }
  return entries.length === 0 ? path : `${path}?${entries.map(written).join('&')}`
}

/** The same question about one resource alone; `undefined` where it has this filter already. */
export function narrowed(
  question: ListQuestion,
  filter: string,
  id: string,
): ListQuestion | undefined {
  if (question.query.some(({ key }) => key === filter)) return undefined
  return { ...question, query: [...question.query, { key: filter, value: id }] }
}

/** The query key by which the cloud leaves out all but one resource. */
export function idFilter({ answer, query }: ListQuestion): string | undefined {
  const filter = answer.items.narrow.find(({ attribute }) => attribute === 'id')?.query
  return query.some(({ key }) => key === filter) ? undefined : filter
}

function written({ key, value }: QueryEntry): string {
  return `${encodeURIComponent(key)}=${encodeURIComponent(value)}`
}
