/** How a paged list is asked for: the least that surely holds all that can be shown, in the cloud's own order. Pure. */

import type { ItemsSpec } from '../../domain/catalog.ts'
import type { QueryEntry } from '../../domain/target.ts'
import type { Narrowing } from '../../policy/policy-engine.ts'

export type Plan =
  /** One device, asked for by the list's own filter `key`. */
  | { way: 'ids'; id: string; key: string; query: readonly QueryEntry[] }
  | { way: 'narrowed' | 'index'; query: readonly QueryEntry[] }

/**
 * The client's filters and sort keys always go upstream: the cloud filters and sorts, the gate leaves out. Several ids
 * asked for one by one would come in an order of ours, and several values of a filter mean nobody knows what.
 * @param query the client's, without paging
 */
export function planOf(
  narrowings: readonly Narrowing[],
  { narrow }: Pick<ItemsSpec, 'narrow'>,
  query: readonly QueryEntry[],
): Plan {
  for (const { attribute, value } of singles(narrowings)) {
    for (const { query: key } of narrow.filter((each) => each.attribute === attribute)) {
      const given = query.find((entry) => entry.key === key)
      if (given?.value === value) return { way: 'narrowed', query }
      if (given !== undefined) continue
      if (attribute === 'id') return { way: 'ids', id: value, key, query }
      return { way: 'narrowed', query: [...query, { key, value }] }
    }
  }
  return { way: 'index', query }
}

/** Narrowings to one value that a filter takes as one; by id first, which leaves the least. */
function singles(narrowings: readonly Narrowing[]): { attribute: string; value: string }[] {
  return narrowings
    .flatMap(({ attribute, values }) => {
      const [value] = values
      if (value === undefined || values.length > 1) return []
      // A comma would make two values of it.
      return /^[^\s,]+$/.test(String(value)) ? [{ attribute, value: String(value) }] : []
    })
    .toSorted((one, other) => Number(other.attribute === 'id') - Number(one.attribute === 'id'))
}

/** Every id that can pass, where the grant names them; `undefined`: it does not. */
export function idsAmong(narrowings: readonly Narrowing[]): ReadonlySet<string> | undefined {
  let among: Set<string> | undefined
  for (const { attribute, values } of narrowings) {
    if (attribute !== 'id') continue
    const ids = new Set(values.map(String))
    among = among === undefined ? ids : among.intersection(ids)
  }
  return among
}
