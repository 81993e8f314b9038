/** The items of a list as they are judged and shown: out of an answer in hand, or out of a kept view. */

import { canonicalId } from '../../domain/canonical-id.ts'
import type { ItemsSpec, ResourceSpec } from '../../domain/catalog.ts'
import {
  isJsonObject,
  parseCloudText,
  valueAtPath,
  type JsonObject,
  plainText,
} from '../../lib/cloud-json.ts'
import type { TextSet } from '../../lib/text-set.ts'
import type { ListView } from '../../upstream/fleet-lists.ts'
import { unfilterable } from '../cut.ts'

export type Items = {
  readonly length: number
  /**
   * Canonical id of the resource it is or belongs to; `undefined`: of none; `null`: of none of these.
   * @param among canonical ids: of an item that is of one of them, the id as they hold it
   */
  idAt(index: number, among?: TextSet): string | null | undefined
  /**
   * Of a view: parsed anew each time.
   * @param keys the only ones that are looked at: others need not be there
   */
  itemAt(index: number, keys?: ReadonlySet<string>): JsonObject
}

export function itemsOfView({ items }: ListView): Items {
  return {
    length: items.length,
    idAt(index, among) {
      const id = items[index]?.id
      return id === undefined || among === undefined ? id : (among.find(id) ?? null)
    },
    itemAt(index) {
      const item = parseCloudText(items[index]?.text ?? '')
      if (!isJsonObject(item)) throw unfilterable('a list item is not an object')
      return item
    },
  }
}

/** @throws Problem `unfilterable_answer` where the list or an item is not what the catalog says */
export function itemsOfAnswer(list: unknown, spec: ItemsSpec, resource: ResourceSpec): Items {
  if (!Array.isArray(list)) throw unfilterable('no list where the catalog has one')
  const idOfItem = idReader(spec, resource)
  const items: JsonObject[] = []
  for (const item of list as readonly unknown[]) {
    if (!isJsonObject(item)) throw unfilterable('a list item is not an object')
    items.push(item)
  }
  const itemAt = (index: number) => items[index] ?? {}
  return {
    length: items.length,
    idAt: (index, among) => idOfItem(itemAt(index), among),
    itemAt,
  }
}

function idReader(
  spec: ItemsSpec,
  resource: ResourceSpec,
): (item: JsonObject, among?: TextSet) => string | null | undefined {
  const { id, when } = spec
  const readId = pathReader(id)
  const readWhen = when === undefined ? undefined : pathReader(when.at)
  const toId = idOfText(resource)
  return (item, among) => {
    if (when !== undefined) {
      const word = readWhen?.(item)
      if (typeof word !== 'string') throw unfilterable(`an item has no text at "${when.at}"`)
      if (word !== when.is) return undefined
    }
    const found = toId(plainText(readId(item)), among)
    // It is said to belong to one: to whom must be known.
    if (found === undefined && when !== undefined) {
      throw unfilterable(`an item has no id at "${id}"`)
    }
    return found
  }
}

/** What `idAt` says of an item, of the text that stands for its id. */
export function idOfText(
  resource: ResourceSpec,
): (text: string | undefined, among?: TextSet) => string | null | undefined {
  return (text, among) => {
    if (text === undefined) return undefined
    // What they hold needs no test.
    const held = among?.find(text)
    if (held !== undefined) return held
    const found = canonicalId(resource, text)
    if (found === undefined || among === undefined) return found
    return found === text ? null : (among.find(found) ?? null)
  }
}

/** For many items: nearly every path is a plain key. */
export function pathReader(path: string): (item: JsonObject) => unknown {
  if (path === '' || path.includes('.')) return (item) => valueAtPath(item, path)
  return (item) => (Object.hasOwn(item, path) ? item[path] : undefined)
}
