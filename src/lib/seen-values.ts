/** Parses values out of bytes, of which many are alike: lists say the same of many items. */

const slotBits = 8
/** Longer ones are seldom alike. */
const longest = 64

export class SeenValues {
  readonly #text: Buffer
  readonly #parse: (start: number, end: number) => unknown
  /** By the hash of their bytes; what comes to a taken slot takes it over. */
  readonly #starts = new Int32Array(2 ** slotBits)
  readonly #lengths = new Int32Array(2 ** slotBits)
  readonly #values: unknown[] = []

  /** @param parse of these bytes; what it makes of equal ones is shared, so that nobody may change it */
  constructor(text: Buffer, parse: (start: number, end: number) => unknown) {
    this.#text = text
    this.#parse = parse
  }

  between(start: number, end: number): unknown {
    const length = end - start
    if (length > longest) return this.#parse(start, end)
    const slot = this.#slotOf(start, end)
    if (this.#lengths[slot] === length && this.#isSame(this.#starts[slot] ?? 0, start, length)) {
      return this.#values[slot]
    }
    const value = this.#parse(start, end)
    this.#starts[slot] = start
    this.#lengths[slot] = length
    this.#values[slot] = value
    return value
  }

  /** FNV-1a, the high bits folded in. */
  #slotOf(start: number, end: number): number {
    const text = this.#text
    let hash = 0x811c9dc5
    for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ (text[at] ?? 0), 0x01000193)
    return (hash ^ (hash >>> 15)) & (2 ** slotBits - 1)
  }

  #isSame(known: number, start: number, length: number): boolean {
    const text = this.#text
    for (let at = 0; at < length; at += 1) {
      if (text[known + at] !== text[start + at]) return false
    }
    return true
  }
}
