/** Raw items as they are judged: of each only the values are parsed that are looked at. */

import type { ListAnswer, ResourceSpec } from '../../domain/catalog.ts'
import { isJsonObject, parseCloudText, type JsonObject } from '../../lib/cloud-json.ts'
import { unfilterable } from '../cut.ts'
import { idOfText, type Items } from './items.ts'
import type { RawItems } from './raw-items.ts'

/** True where items are told apart by their own keys alone. */
export function canBeRaw({ at, items }: ListAnswer): boolean {
  const keys = [items.id, ...items.sides.map(({ of }) => of)]
  return (
    items.when === undefined &&
    !at.includes('.') &&
    keys.every((key) => key !== '' && !key.includes('.'))
  )
}

/** @param idKey of an item: holds the id of what it is or belongs to */
export function itemsOfRaw(raw: RawItems, idKey: string, resource: ResourceSpec): Items {
  const idEntries = new EntryFinder(raw, idKey)
  const toId = idOfText(resource)
  let asked: { keys: ReadonlySet<string>; finders: readonly EntryFinder[] } | undefined

  /** All items are asked for the same keys. */
  function findersOf(keys: ReadonlySet<string>): readonly EntryFinder[] {
    if (asked?.keys !== keys) {
      asked = { keys, finders: [...keys].map((key) => new EntryFinder(raw, key)) }
    }
    return asked.finders
  }

  function partOf(index: number, keys: ReadonlySet<string>): JsonObject {
    const part: JsonObject = {}
    for (const finder of findersOf(keys)) {
      const entry = finder.find(index)
      if (entry !== undefined) part[finder.name] = raw.parsedAt(entry)
    }
    return part
  }

  return {
    length: raw.length,
    idAt(index, among) {
      const entry = idEntries.find(index)
      return toId(entry === undefined ? undefined : raw.plainAt(entry), among)
    },
    itemAt(index, keys) {
      if (keys !== undefined) return partOf(index, keys)
      const item = parseCloudText(raw.itemAt(index))
      if (!isJsonObject(item)) throw unfilterable('a list item is not an object')
      return item
    },
  }
}

/** Finds the entry with a key: nearly always where it was in the item before. */
class EntryFinder {
  readonly name: string
  readonly #raw: RawItems
  /** Of the key; -1: no item has it. */
  readonly #number: number
  #offset = 0

  constructor(raw: RawItems, name: string) {
    this.name = name
    this.#raw = raw
    this.#number = raw.shape.names.indexOf(name)
  }

  find(index: number): number | undefined {
    const { entries, firsts } = this.#raw
    const first = firsts[index] ?? 0
    const after = firsts[index + 1] ?? first
    const guess = first + this.#offset
    if (guess < after && entries.key(guess) === this.#number) return guess
    for (let entry = first; entry < after; entry += 1) {
      if (entries.key(entry) !== this.#number) continue
      this.#offset = entry - first
      return entry
    }
    return undefined
  }
}
