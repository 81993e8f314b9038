/** Where the items of a list stand in the bytes of an answer: nothing is built of them. */

import type { ListAnswer, ResourceSpec } from '../../domain/catalog.ts'
import { isJsonObject, parseCloudText, plainText } from '../../lib/cloud-json.ts'
import { JsonBytes, NotPlain, skipSpace } from '../../lib/json-bytes.ts'
import { Entries, Shape, skipArray, skipObject, skipValue, valueOf } from '../../lib/json-shape.ts'
import { unfilterable } from '../cut.ts'
import { idOfText, type Items } from './items.ts'

export type RawItems = {
  text: Buffer
  /** Of the list, brackets included. */
  start: number
  end: number
  /** Of all items, one after the other. */
  entries: Entries
  /** Where the entries of each item begin; one more at the end. */
  firsts: readonly number[]
  /** Of the items. */
  shape: Shape
  items: Items
  /** The JSON text that an entry has as its value. */
  valueAt(entry: number): string
  /** As `plainText` says the value. */
  plainAt(entry: number): string | undefined
}

/** True where items are told apart by their own keys alone. */
export function canBeRaw({ at, items }: ListAnswer): boolean {
  const keys = [items.id, ...items.sides.map(({ of }) => of)]
  return (
    items.when === undefined &&
    !at.includes('.') &&
    keys.every((key) => key !== '' && !key.includes('.'))
  )
}

/**
 * @param writtenIn what is ASCII is the same in Latin-1, and quicker to read so
 * @throws NotPlain where a whole parser must tell what this is
 */
export function findRawItems(
  text: Buffer,
  writtenIn: 'ASCII' | 'UTF-8',
  { at: listKey, items: { id } }: ListAnswer,
  resource: ResourceSpec,
): RawItems {
  const json = new JsonBytes(text)
  const encoding = writtenIn === 'ASCII' ? 'latin1' : 'utf8'
  const textAt = (from: number, to: number) => text.toString(encoding, from, to)
  const shape = new Shape()
  // Shorter ones than these are seldom; it grows.
  const entries = new Entries(Math.ceil(text.length / 16))
  const starts: number[] = []
  const ends: number[] = []
  const firsts = [0]
  const ids: (string | undefined)[] = []

  const valueAt = (entry: number) => textAt(valueOf(json, entries.start(entry)), entries.end(entry))
  function plainAt(entry: number): string | undefined {
    const start = valueOf(json, entries.start(entry))
    const inside = text[start] === 0x22 ? textAt(start + 1, entries.end(entry) - 1) : undefined
    if (inside === undefined || inside.includes('\\'))
      return plainText(parseCloudText(valueAt(entry)))
    return inside === '' ? undefined : inside
  }
  function idFrom(first: number): string | undefined {
    for (let entry = first; entry < entries.length; entry += 1) {
      if (shape.names[entries.key(entry)] === id) return plainAt(entry)
    }
    return undefined
  }
  function skipItem(at: number): number {
    if (text[at] !== 0x7b) throw new NotPlain('an item that is no object')
    const first = entries.length
    const end = skipObject(json, at, shape, 1, entries)
    starts.push(at)
    ends.push(end)
    firsts.push(entries.length)
    ids.push(idFrom(first))
    return end
  }

  const { start, end } = findList(json, listKey, (at) => skipArray(json, at, shape, 0, skipItem))
  const toId = idOfText(resource)
  const items: Items = {
    length: starts.length,
    idAt: (index, among) => toId(ids[index], among),
    itemAt(index) {
      const item = parseCloudText(textAt(starts[index] ?? 0, ends[index] ?? 0))
      if (!isJsonObject(item)) throw unfilterable('a list item is not an object')
      return item
    },
  }
  return { text, start, end, entries, firsts, shape, items, valueAt, plainAt }
}

/** Where the list is: at a key of the root, or with an empty one all of it. The rest is checked too. */
function findList(
  json: JsonBytes,
  key: string,
  skipList: (at: number) => number,
): { start: number; end: number } {
  const { text } = json
  const found = { start: 0, end: 0 }
  function skipFound(at: number): number {
    if (text[at] !== 0x5b) throw new NotPlain('no list where the catalog has one')
    found.start = at
    found.end = skipList(at)
    return found.end
  }
  function skipAny(at: number, name: string, below: Shape): number {
    return name === key ? skipFound(at) : skipValue(json, at, below, 1)
  }
  const root = skipSpace(text, 0)
  if (key !== '' && text[root] !== 0x7b) throw new NotPlain('no object where the catalog has one')
  const end =
    key === '' ? skipFound(root) : skipObject(json, root, new Shape(), 0, undefined, skipAny)
  if (skipSpace(text, end) !== text.length) throw new NotPlain('more than one value')
  if (found.end === 0) throw new NotPlain('no list where the catalog has one')
  return found
}
