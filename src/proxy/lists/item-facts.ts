/** Reads of an item only the attributes that a grant has conditions on: lists have many items, and grants few conditions. */

import type { ResourceType } from '../../domain/access-request.ts'
import type { Attribute, Catalog } from '../../domain/catalog.ts'
import type { Condition, Grant } from '../../domain/grant.ts'
import { createAttributeReader, type ReadAttributes } from '../../upstream/attributes.ts'

/** `keys`: the only ones of an item that are looked at; what is not there of them is absent. */
export type ItemReader = { read: ReadAttributes; keys: ReadonlySet<string> | 'all' }
export type ItemFacts = (item: ResourceType, grants: readonly Grant[]) => ItemReader

export function createItemFacts({ resources }: Pick<Catalog, 'resources'>): ItemFacts {
  const named = new WeakMap<Grant, ReadonlySet<string>>()

  function namedBy(grant: Grant): ReadonlySet<string> {
    let names = named.get(grant)
    if (names === undefined) {
      names = attributesIn(grant)
      named.set(grant, names)
    }
    return names
  }

  return (item, grants) => {
    if (item === 'none') return { read: () => ({}), keys: new Set() }
    const { attributes } = resources[item]
    const wanted = [...attributes]
      .filter(([name]) => grants.some((grant) => namedBy(grant).has(name)))
      .map(([name, attribute]): [string, Attribute] => [name, asInItem(attribute)])
    const read = createAttributeReader(new Map(wanted), 'item')
    return { read, keys: keysOf(wanted.map(([, { from }]) => from)) }
  }
}

/** The place in an item is said once, so that the reader looks nowhere else than at the keys it is given. */
function asInItem({ item, ...attribute }: Attribute): Attribute {
  return item === undefined ? attribute : { ...attribute, from: item }
}

/** The first key of each path; the empty path is the whole item. */
function keysOf(paths: readonly string[]): ItemReader['keys'] {
  if (paths.includes('')) return 'all'
  return new Set(paths.map((path) => path.split('.', 1)[0] ?? ''))
}

/** Whatever the action: a name too many costs a little time, one too few would be read as absent. */
function attributesIn({ devices, rules }: Grant): ReadonlySet<string> {
  const names = new Set<string>()
  const visit = (condition: Condition | undefined): void => {
    if (condition === undefined) return
    if ('attribute' in condition) names.add(condition.attribute)
    else if ('not' in condition) visit(condition.not)
    else if ('and' in condition) condition.and.forEach(visit)
    else if ('or' in condition) condition.or.forEach(visit)
  }
  for (const limit of Object.values(devices)) if ('where' in limit) visit(limit.where)
  for (const { condition, unless } of rules) {
    visit(condition)
    visit(unless)
  }
  return names
}
