/** Follows the pages of a list through the gate as a client does, and tells where they differ from what is due. */

import { isDeepStrictEqual } from 'node:util'
import { policyFor, type Answer, type Batch } from './batch.ts'
import { rulesOf } from './decide.ts'
import { dueList, pageOf, readBy, type DueList } from './lists.ts'
import { searchOf, type ListQuery } from './queries.ts'
import { productOf, readAll } from './world.ts'

export type Case = { user: string; query: ListQuery }
export type Miss = {
  user: string
  what: string
  query?: ListQuery
  expected: unknown
  got: unknown
}

export type Told = {
  cases: number
  pages: number
  items: number
  denied: number
  refusedKeys: number
}

/** Follows the pages as a client does, and one beyond. */
export async function compareList(
  batch: Batch,
  { user, query }: Case,
  told: Told,
): Promise<Pick<Miss, 'what' | 'expected' | 'got'> | undefined> {
  const { policy, world } = batch
  const { id = query.product, devices = [] } = productOf(world, query.product) ?? {}
  const all = dueList(policy, user, world, { product: id, found: devices })
  const path = `/v1/products/${query.product}/devices`
  told.cases += 1
  const first = await batch.ask(user, path + searchOf(query))
  if (all.outcome === 'denied' || hidesWhatIsRead(all, query)) {
    if (all.outcome === 'denied') told.denied += 1
    else told.refusedKeys += 1
    return first.status === 403
      ? undefined
      : { what: 'status', expected: 403, got: `${first.status} ${first.text.slice(0, 300)}` }
  }
  if (first.status === 403 && mayHideWhatIsRead(batch, user, query)) {
    told.refusedKeys += 1
    return undefined
  }
  const due = dueList(policy, user, world, { product: id, found: await foundBy(batch, query, id) })
  if (due.outcome === 'denied') throw new Error('admitted above')
  const customers = productOf(world, id)?.customers ?? []
  const last = pageOf(due.seen, customers, { page: 1, size: query.size }).meta.total_pages
  for (let page = 1; page <= last + 1; page += 1) {
    const answer = page === 1 ? first : await batch.ask(user, path + searchOf(query, page))
    const expected = pageOf(due.seen, customers, { page, size: query.size })
    told.pages += 1
    told.items += expected.devices.length
    const got = bodyOf(answer)
    if (!isDeepStrictEqual(got, expected)) {
      return { what: `page ${page}`, ...different(expected, got) }
    }
  }
  return undefined
}

/** Which devices the cloud itself finds for the filters, in its order. */
function foundBy({ cloud, world }: Batch, query: ListQuery, product: string) {
  const whole = productOf(world, product)?.devices ?? []
  if (Object.keys(query.filters).length === 0) return whole
  const search = searchOf({ ...query, size: undefined })
  return readAll(cloud, `/v1/products/${product}/devices${search}`, 'devices')
}

/** Keys that a filter or an order reads. */
function keysRead({ filters }: ListQuery): string[] {
  return Object.entries(filters).flatMap(([key, value]) => {
    const read = readBy[key === 'sortAttr' ? value : key]
    return read === undefined ? [] : [read]
  })
}

/** A filter over a key that is hidden would tell what it holds. */
function hidesWhatIsRead(all: DueList & { outcome: 'shown' }, query: ListQuery): boolean {
  const keys = keysRead(query)
  return all.seen.some(({ item, whole }) => keys.some((key) => key in whole && !(key in item)))
}

/** Some rule may hide it from some device, today or tomorrow: a refusal is right even where none is hidden now. */
function mayHideWhatIsRead({ policy }: Batch, user: string, query: ListQuery): boolean {
  const rules = rulesOf(policy, user)
  return keysRead(query).some((key) =>
    rules.some(({ hide = [], answer = [key] }) => hide.includes(key) || !answer.includes(key)),
  )
}

export function bodyOf({ status, text }: Answer): unknown {
  return status === 200 ? JSON.parse(text) : `${status} ${text.slice(0, 300)}`
}

/** Only what is not the same, so that a miss can be read. */
function different(expected: unknown, got: unknown): { expected: unknown; got: unknown } {
  if (!isTree(expected) || !isTree(got)) return { expected: brief(expected), got: brief(got) }
  if (Array.isArray(expected) && expected.length !== Object.keys(got).length) {
    return { expected: brief(expected), got: brief(got) }
  }
  const keys = [...new Set([...Object.keys(expected), ...Object.keys(got)])]
  const pairs = keys
    .filter((key) => !isDeepStrictEqual(expected[key], got[key]))
    .slice(0, 3)
    .map((key) => [key, different(expected[key], got[key])] as const)
  return {
    expected: Object.fromEntries(pairs.map(([key, pair]) => [key, pair.expected])),
    got: Object.fromEntries(pairs.map(([key, pair]) => [key, pair.got])),
  }
}

function isTree(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

export function brief(value: unknown): unknown {
  if (!Array.isArray(value)) return value ?? 'nothing'
  const items: readonly unknown[] = value
  return items.map((item) => JSON.stringify(item).slice(0, 60))
}

/** For the eye: the shortest of them, with all that is needed to see why. */
export function smallest(misses: readonly Miss[], { policy }: Batch, seed: number): string {
  const [told] = misses
    .map(({ user, ...miss }) => ({ user, ...miss, policy: policyFor(policy, user) }))
    .map((miss) => JSON.stringify(miss))
    .toSorted((one, other) => one.length - other.length)
  if (told === undefined) return ''
  return `seed ${seed}: ${misses.length} misses; the smallest:\n${told.slice(0, 6000)}`
}
