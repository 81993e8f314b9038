/** Reads a resource's attributes out of a cloud's answer, each of the catalog's type or not at all. */

import type { Attribute, AttributeType } from '../domain/catalog.ts'
import { isJsonObject, valueAtPath } from '../lib/cloud-json.ts'

/** Attributes by their catalog names. What is of a wrong type is left out: conditions see it as absent. */
export type ReadAttributes = (root: unknown) => Readonly<Record<string, unknown>>

/**
 * Paths are taken apart once: lists have many items.
 * @param where the root is a `lookup` answer, or an `item` of a list of these resources
 */
export function createAttributeReader(
  attributes: ReadonlyMap<string, Attribute>,
  where: 'lookup' | 'item',
): ReadAttributes {
  const readers = Array.from(attributes.values(), ({ name, type, from, item }) => {
    const path = where === 'item' ? (item ?? from) : from
    return { name, type, path, plain: path !== '' && !path.includes('.') }
  })
  return (root) => {
    const read: Record<string, unknown> = {}
    if (!isJsonObject(root)) return read
    for (const { name, type, path, plain } of readers) {
      const found = plain
        ? Object.hasOwn(root, path)
          ? root[path]
          : undefined
        : valueAtPath(root, path)
      if (found === undefined) continue
      const value = typed(found, type)
      if (value !== undefined) read[name] = value
    }
    return read
  }
}

/** The value if it is of the catalog's type, else nothing. */
function typed(value: unknown, type: AttributeType): unknown {
  switch (type) {
    case 'string':
      return typeof value === 'string' ? value : undefined
    case 'number':
      return toNumber(value)
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined
    case 'time':
      return typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? value : undefined
    case 'strings':
      return Array.isArray(value) && value.every((item) => typeof item === 'string')
        ? value
        : undefined
  }
}

/** A number that was kept as its source text, so as to be sent on unchanged, is still one. */
function toNumber(value: unknown): number | undefined {
  const number = JSON.isRawJSON(value) ? Number(JSON.stringify(value)) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined
}
