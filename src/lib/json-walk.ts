/** Objects and arrays of JSON as bytes: checked and passed over, and noted of an object where its entries stand. */

import {
  NotPlain,
  skipPlain,
  skipSpace,
  skipString,
  skipText,
  type JsonBytes,
} from './json-bytes.ts'
import type { Entries, Shape } from './json-shape.ts'

/** Deeper values are left to a whole parser. */
const maxDepth = 32

const space = 0x20
const quote = 0x22
const comma = 0x2c
const colon = 0x3a
const openArray = 0x5b
const closeArray = 0x5d
const openObject = 0x7b
const closeObject = 0x7d

/**
 * How many bytes from `at` on are as those from `known` on: `length` at most. Eight at a time are compared as a number:
 * what is none equals nothing, and only a byte of zero, which JSON does not have, makes two zeros of different bytes.
 */
function alike({ text, view }: JsonBytes, known: number, at: number, length: number): number {
  const end = known + Math.min(length, text.length - at)
  const shift = at - known
  let each = known
  while (each + 8 <= end && view.getFloat64(each, true) === view.getFloat64(each + shift, true)) {
    each += 8
  }
  while (each < end && text[each] === text[each + shift]) each += 1
  return each - known
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
  const { text } = json
  const { names, lengths, numbers, starts, values, ends } = shape
  let start = skipSpace(text, from + 1)
  if (text[start] === closeObject) return start + 1
  for (let order = 0; ; order += 1) {
    const first = order
    let same = 0
    while (order < starts.length) {
      const known = starts[order] ?? 0
      same = alike(json, known, start, (ends[order] ?? 0) - known)
      if (same >= (lengths[numbers[order] ?? 0] ?? 0)) break
      order += 1
    }
    if (order === starts.length) {
      order = first
      shape.add(json, start, order)
      same = 0
    }
    const key = numbers[order] ?? 0
    const known = starts[order] ?? 0
    const beforeValue = (values[order] ?? 0) - known
    const isWhole = known + same === ends[order]
    const respelledBefore = json.respelled
    let at = start + same
    if (same <= beforeValue || !isWhole || !endsValue(text[at])) {
      const escapesBefore = json.escapes
      let value = start + beforeValue
      if (same > beforeValue && !isWhole && text[value] === quote) at = skipText(json, at)
      else {
        value = valueAfter(json, start + (lengths[key] ?? 0))
        if (text[value] === quote) at = skipString(json, value)
        else if (visit === undefined) at = skipWithin(json, value, shape, key, depth)
        else at = visit(value, names[key] ?? '', shape.within(key))
      }
      if (json.escapes !== escapesBefore) value = at
      starts[order] = start
      values[order] = value
      ends[order] = at
    }
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

/** Most values make no shape of their own necessary. */
function skipWithin(json: JsonBytes, at: number, shape: Shape, key: number, depth: number): number {
  const code = json.text[at]
  return code === openObject || code === openArray
    ? skipValue(json, at, shape.within(key), depth + 1)
    : skipPlain(json, at)
}

/** True for what may stand after a value in an object: a number goes on before anything else. */
function endsValue(code: number | undefined): boolean {
  return code !== undefined && (code === comma || code === closeObject || code <= space)
}

/** Position of the value of a key that ends here. */
export function valueAfter({ text }: JsonBytes, keyEnd: number): number {
  const colonAt = text[keyEnd] === colon ? keyEnd : skipSpace(text, keyEnd)
  if (text[colonAt] !== colon) throw new NotPlain('a key without a value')
  const at = colonAt + 1
  return (text[at] ?? 0) <= space ? skipSpace(text, at) : at
}
