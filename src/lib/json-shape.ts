/** What is noted of JSON objects as they are passed over: which keys they have, and where their entries stand. */

import { NotPlain, skipString, type JsonBytes } from './json-bytes.ts'

/** More at one place are left to a whole parser. */
const keyBits = 8
const maxKeys = 2 ** keyBits

const quote = 0x22

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
  /** How many bytes each takes, quotes included. */
  readonly lengths: number[] = []
  /** Of the objects that stand at that key, or in arrays there. */
  readonly below: (Shape | undefined)[] = []
  /** The keys in their order. */
  readonly numbers: number[] = []
  /**
   * In the same order: where an entry with that key stands, its value and its end. Entries are much alike, and to
   * compare one with another is quicker than to read it. A value with an escape is not kept: it ends before it begins.
   */
  readonly starts: number[] = []
  readonly values: number[] = []
  readonly ends: number[] = []

  /** Of a key that is not at that place or after it. @throws NotPlain where it stood before */
  add(json: JsonBytes, at: number, order: number): void {
    const { names, lengths } = this
    if (json.text[at] !== quote) throw new NotPlain('an object without a key')
    const end = skipString(json, at)
    const name = json.text.toString('utf8', at + 1, end - 1)
    if (name.includes('\\') || name === '__proto__') throw new NotPlain('an odd key')
    if (names.includes(name)) throw new NotPlain('a key twice, or out of order')
    if (names.length === maxKeys) throw new NotPlain('many keys')
    insert(this.numbers, order, names.length)
    insert(this.starts, order, at)
    insert(this.values, order, end)
    insert(this.ends, order, end)
    names.push(name)
    lengths.push(end - at)
  }

  /** Of what stands at that key. */
  within(key: number): Shape {
    return (this.below[key] ??= new Shape())
  }
}

/** Nearly always at the end, where it costs least. */
function insert(numbers: number[], at: number, number: number): void {
  if (at === numbers.length) numbers.push(number)
  else numbers.splice(at, 0, number)
}
