/** Reads of an item only the attributes that a grant has conditions on: lists have many items, and grants few conditions. */

import { attributesRead } from '../../domain/attributes-read.ts'
import type { ResourceType } from '../../domain/access-request.ts'
import type { Attribute, Catalog } from '../../domain/catalog.ts'
import type { Grant } from '../../domain/grant.ts'
import { createAttributeReader, type ReadAttributes } from '../../upstream/attributes.ts'

/** `keys`: the only ones of an item that are looked at; what is not there of them is absent. */
export type ItemReader = { read: ReadAttributes; keys: ReadonlySet<string> | 'all' }
export type ItemFacts = (item: ResourceType, grants: readonly Grant[]) => ItemReader

export function createItemFacts({ resources }: Pick<Catalog, 'resources'>): ItemFacts {
  const named = new WeakMap<Grant, ReadonlySet<string>>()

  function namedBy(grant: Grant): ReadonlySet<string> {
    let names = named.get(grant)
    if (names === undefined) {
      names = attributesRead(grant)
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
