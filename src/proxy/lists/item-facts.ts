/** Reads of an item only the attributes that a grant has conditions on: lists have many items, and grants few conditions. */

import type { ResourceType } from '../../domain/access-request.ts'
import type { Catalog } from '../../domain/catalog.ts'
import type { Condition, Grant } from '../../domain/grant.ts'
import { createAttributeReader, type ReadAttributes } from '../../upstream/attributes.ts'

export type ItemFacts = (item: ResourceType, grants: readonly Grant[]) => ReadAttributes

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
    if (item === 'none') return () => ({})
    const { attributes } = resources[item]
    const wanted = [...attributes].filter(([name]) =>
      grants.some((grant) => namedBy(grant).has(name)),
    )
    return createAttributeReader(new Map(wanted), 'item')
  }
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
