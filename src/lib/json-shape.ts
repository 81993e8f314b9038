/** Objects and arrays of JSON as bytes: checked and passed over, and noted of an object where its entries stand. */

import { NotPlain, skipPlain, skipSpace, skipString, type JsonBytes } from './json-bytes.ts'

/** Deeper values, and more keys at one place, are left to a whole parser. */
const maxDepth = 32
const keyBits = 8
const maxKeys = 2 ** keyBits

const space = 0x20
const quote = 0x22
const comma = 0x2c
const colon = 0x3a
const openArray = 0x5b
const closeArray = 0x5d
const openObject = 0x7b
const closeObject = 0x7d

/** Entries in the order they were read in: of each the number of its key, where it begins, and what follows it. */
export class Entries {
  length = 0
  /** Entries with a text in them that JSON.stringify would spell in another way. */
  readonly respelled = new Set<number>()
  /** By two: where it begins, and its length with the key's number in the lowest bits. */
  #fields: Int32Array

  /** @param expected how many; there may be more */
  constructor(expected: number) {
    this.#fields = new Int32Array(expected * 2)
  }

  key(index: number): number {
    return (this.#fields[index * 2 + 1] ?? 0) & (maxKeys - 1)
  }

  start(index: number): number {
    return this.#fields[index * 2] ?? 0
  }

  end(index: number): number {
    return this.start(index) + ((this.#fields[index * 2 + 1] ?? 0) >>> keyBits)
  }

  /** @throws NotPlain where it is too long to be noted */
  add(key: number, start: number, end: number): void {
    if (end - start >= 2 ** (32 - keyBits)) throw new NotPlain('a long value')
    const first = this.length * 2
    if (first === this.#fields.length) this.#grow()
    const fields = this.#fields
    fields[first] = start
    fields[first + 1] = ((end - start) << keyBits) | key
    this.length += 1
  }

  #grow(): void {
    const larger = new Int32Array(this.#fields.length * 2 + 2)
    larger.set(this.#fields)
    this.#fields = larger
  }
}

/**
 * The keys that objects at one place have, in the order that they nearly always have them in; some may be absent. What
 * follows that order has no key twice, which is quicker to see than by a set.
 */
export class Shape {
  /** By a key's number, which stays. */
  readonly names: string[] = []
  /** Of the objects that stand at that key, or in arrays there. */
  readonly below: Shape[] = []
  /** In their order: numbers, and where each key was seen first, quotes included. */
  readonly numbers: number[] = []
  readonly starts: number[] = []
  readonly lengths: number[] = []

  /** @throws NotPlain where the key stood before that place */
  add(json: JsonBytes, at: number, order: number): void {
    const { names, below, numbers, starts, lengths } = this
    if (json.text[at] !== quote) throw new NotPlain('an object without a key')
    const length = skipString(json, at) - at
    for (let before = 0; before < order; before += 1) {
      if (
        lengths[before] === length &&
        isSame(json.text, json.view, starts[before] ?? 0, length, at)
      ) {
        throw new NotPlain('a key twice, or out of order')
      }
    }
    const name = json.text.toString('utf8', at + 1, at + length - 1)
    if (name.includes('\\') || name === '__proto__') throw new NotPlain('an odd key')
    if (names.length === maxKeys) throw new NotPlain('many keys')
    numbers.splice(order, 0, names.length)
    starts.splice(order, 0, at)
    lengths.splice(order, 0, length)
    names.push(name)
    below.push(new Shape())
  }
}

/** True where a known key stands at this position too. */
function isSame(text: Buffer, view: DataView, known: number, length: number, at: number): boolean {
  if (at + length > text.length) return false
  const end = known + length
  const shift = at - known
  let each = known
  while (each + 4 <= end && view.getInt32(each) === view.getInt32(each + shift)) each += 4
  while (each < end && text[each] === text[each + shift]) each += 1
  return each === end
}

/**
 * Position after the value that begins here.
 * @param shape of the objects that stand at this place
 * @throws NotPlain
 */
export function skipValue(json: JsonBytes, at: number, shape: Shape, depth: number): number {
  switch (json.text[at]) {
    case quote:
      return skipString(json, at)
    case openObject:
      return skipObject(json, at, shape, depth)
    case openArray:
      return skipArray(json, at, shape, depth)
    default:
      return skipPlain(json, at)
  }
}

/**
 * Position after the array that begins here.
 * @param visit is told where a value begins, and passes over it
 * @throws NotPlain
 */
export function skipArray(
  json: JsonBytes,
  from: number,
  shape: Shape,
  depth: number,
  visit?: (at: number) => number,
): number {
  if (depth > maxDepth) throw new NotPlain('nested deep')
  const { text } = json
  let at = skipSpace(text, from + 1)
  if (text[at] === closeArray) return at + 1
  for (;;) {
    at = visit === undefined ? skipValue(json, at, shape, depth + 1) : visit(at)
    at = skipSpace(text, at)
    const code = text[at]
    if (code === closeArray) return at + 1
    if (code !== comma) throw new NotPlain('an array without its end')
    at = skipSpace(text, at + 1)
  }
}

/**
 * Position after the object that begins here. Most of a list is read in this one loop, hence its length.
 * @param entries takes what is in it
 * @param visit is told where the value of a key begins that is no text, and passes over it
 * @throws NotPlain
 */
export function skipObject(
  json: JsonBytes,
  from: number,
  shape: Shape,
  depth: number,
  entries?: Entries,
  visit?: (at: number, key: string, below: Shape) => number,
): number {
  if (depth > maxDepth) throw new NotPlain('nested deep')
  const { text, view } = json
  const { names, below, numbers, starts, lengths } = shape
  let start = skipSpace(text, from + 1)
  if (text[start] === closeObject) return start + 1
  for (let order = 0; ; order += 1) {
    const first = order
    while (order < starts.length) {
      if (isSame(text, view, starts[order] ?? 0, lengths[order] ?? 0, start)) break
      order += 1
    }
    if (order === starts.length) {
      order = first
      shape.add(json, start, order)
    }
    const key = numbers[order] ?? 0
    const within = below[key] ?? shape
    const respelledBefore = json.respelled
    let at = start + (lengths[order] ?? 0)
    at = text[at] === colon ? at + 1 : skipColon(text, at)
    if ((text[at] ?? 0) <= space) at = skipSpace(text, at)
    if (text[at] === quote) at = skipString(json, at)
    else if (visit === undefined) at = skipValue(json, at, within, depth + 1)
    else at = visit(at, names[key] ?? '', within)
    if (entries !== undefined) {
      if (json.respelled !== respelledBefore) entries.respelled.add(entries.length)
      entries.add(key, start, at)
    }
    if ((text[at] ?? 0) <= space) at = skipSpace(text, at)
    const code = text[at]
    if (code === closeObject) return at + 1
    if (code !== comma) throw new NotPlain('an object without its end')
    start = at + 1
    if ((text[start] ?? 0) <= space) start = skipSpace(text, start)
  }
}

/** From the end of a key to its colon, and on to what may be white space before its value. */
function skipColon(text: Buffer, from: number): number {
  const at = skipSpace(text, from)
  if (text[at] !== colon) throw new NotPlain('a key without a value')
  return at + 1
}

/** Where the value of an entry begins that was passed over. */
export function valueOf({ text }: JsonBytes, start: number): number {
  let at = start + 1
  while (text[at] !== quote) at += 1
  return skipSpace(text, skipColon(text, at + 1))
}
