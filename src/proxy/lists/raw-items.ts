/** Where the items of a list stand in the bytes of an answer: nothing is built of them. */

import { checkCloudJson, parseCloudText, plainText } from '../../lib/cloud-json.ts'
import { JsonBytes, NotPlain, skipSpace } from '../../lib/json-bytes.ts'
import { Entries, Shape } from '../../lib/json-shape.ts'
import { skipArray, skipObject, skipValue, valueAfter } from '../../lib/json-walk.ts'
import { SeenValues } from '../../lib/seen-values.ts'

const quote = 0x22

export type RawItems = {
  text: Buffer
  /** Of the list, brackets included. */
  start: number
  end: number
  /** How many items. */
  length: number
  /** Of all items, one after the other. */
  entries: Entries
  /** Where the entries of each item begin; one more at the end. */
  firsts: readonly number[]
  /** Of the items. */
  shape: Shape
  /** The JSON text of an item. */
  itemAt(index: number): string
  /** The JSON text that an entry has as its value. */
  valueAt(entry: number): string
  /** The same, parsed: not to be changed, for it may be that of other items too. */
  parsedAt(entry: number): unknown
  /** As `plainText` says the value. */
  plainAt(entry: number): string | undefined
}

/**
 * `undefined`: a whole parser must tell what this is.
 * @throws CloudJsonFault where it is not labelled as JSON or not plain UTF-8
 */
export function readRawItems(
  contentType: string | undefined,
  body: Buffer,
  listKey: string,
): RawItems | undefined {
  const writtenIn = checkCloudJson(contentType, body)
  try {
    return findRawItems(body, writtenIn, listKey)
  } catch (error) {
    if (error instanceof NotPlain) return undefined
    throw error
  }
}

/**
 * @param writtenIn what is ASCII is the same in Latin-1, and quicker to read so
 * @param listKey where the list is: at a key of the root, or with an empty one all of it
 * @throws NotPlain where a whole parser must tell what this is
 */
function findRawItems(text: Buffer, writtenIn: 'ASCII' | 'UTF-8', listKey: string): RawItems {
  const json = new JsonBytes(text)
  const encoding = writtenIn === 'ASCII' ? 'latin1' : 'utf8'
  const textAt = (from: number, to: number) => text.toString(encoding, from, to)
  const shape = new Shape()
  // Shorter ones than these are seldom; it grows.
  const entries = new Entries(Math.ceil(text.length / 16))
  const starts: number[] = []
  const ends: number[] = []
  const firsts = [0]

  const valueOf = (entry: number) =>
    valueAfter(json, entries.start(entry) + (shape.lengths[entries.key(entry)] ?? 0))
  const valueAt = (entry: number) => textAt(valueOf(entry), entries.end(entry))
  const seen = new SeenValues(text, (from, to) => parseCloudText(textAt(from, to)))
  const parsedAt = (entry: number) => seen.between(valueOf(entry), entries.end(entry))
  function plainAt(entry: number): string | undefined {
    const start = valueOf(entry)
    const inside = text[start] === quote ? textAt(start + 1, entries.end(entry) - 1) : undefined
    if (inside === undefined || inside.includes('\\')) return plainText(parsedAt(entry))
    return inside === '' ? undefined : inside
  }
  function skipItem(at: number): number {
    if (text[at] !== 0x7b) throw new NotPlain('an item that is no object')
    const end = skipObject(json, at, shape, 1, entries)
    starts.push(at)
    ends.push(end)
    firsts.push(entries.length)
    return end
  }

  const { start, end } = findList(json, listKey, (at) => skipArray(json, at, shape, 0, skipItem))
  return {
    ...{ text, start, end, length: starts.length, entries, firsts, shape },
    ...{ valueAt, parsedAt, plainAt },
    itemAt: (index) => textAt(starts[index] ?? 0, ends[index] ?? 0),
  }
}

/** The rest of the answer is checked too. */
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
