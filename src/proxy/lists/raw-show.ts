/** Shows raw items: copies the bytes of the entries that may be seen, and nothing else. */

import type { Side } from '../../domain/catalog.ts'
import type { Obligations } from '../../domain/decision.ts'
import { parseCloudText } from '../../lib/cloud-json.ts'
import { ByteWriter } from '../../lib/byte-writer.ts'
import type { Shape } from '../../lib/json-shape.ts'
import { stripKeys, type Strip } from '../cut.ts'
import { toText } from './body.ts'
import type { RawItems } from './raw-items.ts'
import type { Cut, Show } from './show.ts'

const comma = 0x2c
const openArray = 0x5b
const closeArray = 0x5d
const openObject = 0x7b
const closeObject = 0x7d

/** Of the entries with one key. `rewrite`: something within the value may be stripped. */
type Fate = 'drop' | 'copy' | 'rewrite'

/** What becomes of items, and who is told of what they speak of. */
type ShowBy = {
  cutOf(obligations: Obligations): Omit<Cut, 'cutItem'>
  speak: Show['speak']
}

type RawCut = {
  cut: Omit<Cut, 'cutItem'>
  /** By a key's number. */
  fates: readonly Fate[]
  /** By a key's number: the sides that it is a key of; mostly none. */
  speaks: readonly (readonly number[] | undefined)[]
}

/** No item and no entry, nor the one before the first. */
const nothing = -2

export class RawShow {
  readonly #raw: RawItems
  readonly #show: ShowBy
  readonly #sides: readonly Side[]
  readonly #cuts = new Map<Obligations, RawCut>()
  readonly #out: ByteWriter
  #count = 0
  /** The item that was added last, if it is not yet closed: it ends with what is still to be copied. */
  #open = nothing
  #from = 0
  #to = 0

  constructor(raw: RawItems, show: ShowBy, sides: readonly Side[]) {
    this.#raw = raw
    this.#show = show
    this.#sides = sides
    this.#out = new ByteWriter(raw.text.length - raw.start, raw.start)
    this.#out.byte(openArray)
  }

  add(index: number, obligations: Obligations): void {
    const { text, entries, firsts } = this.#raw
    const { respelled } = entries
    const { cut, fates, speaks } = this.#cutFor(obligations)
    const out = this.#out
    const first = firsts[index] ?? 0
    const after = firsts[index + 1] ?? first
    // What is copied one after the other is copied at once, with what is between: from item to item too.
    const goesOn =
      this.#open === index - 1 &&
      first < after &&
      fates[entries.key(first)] === 'copy' &&
      !respelled.has(first)
    if (!goesOn) {
      this.#close()
      if (this.#count > 0) out.byte(comma)
      out.byte(openObject)
    }
    this.#count += 1
    let from = goesOn ? this.#from : 0
    let to = goesOn ? this.#to : 0
    let last = goesOn ? first - 1 : nothing
    let pieces = goesOn ? 1 : 0
    for (let entry = first; entry < after; entry += 1) {
      const key = entries.key(entry)
      const fate = fates[key] ?? 'drop'
      if (fate === 'drop') continue
      const isCopied = fate === 'copy' && (respelled.size === 0 || !respelled.has(entry))
      if (!isCopied || last !== entry - 1) {
        if (from < to) out.copy(text, from, to)
        if (pieces > 0) out.byte(comma)
        pieces += 1
        from = entries.start(entry)
      }
      to = isCopied ? entries.end(entry) : from
      last = isCopied ? entry : nothing
      if (!isCopied) out.text(this.#rewritten(entry, cut.strip))
      const sides = speaks[key]
      if (sides === undefined) continue
      for (const side of sides) this.#show.speak(side, this.#raw.plainAt(entry), cut)
    }
    this.#open = index
    this.#from = from
    this.#to = to
    if (last !== after - 1) this.#close()
  }

  #close(): void {
    if (this.#open === nothing) return
    if (this.#from < this.#to) this.#out.copy(this.#raw.text, this.#from, this.#to)
    this.#out.byte(closeObject)
    this.#open = nothing
  }

  /** The list, brackets included, between these texts. */
  done(before: string, after: string): Buffer {
    this.#close()
    this.#out.byte(closeArray)
    this.#out.text(after)
    return this.#out.finish(before)
  }

  /** As it would be written had all been parsed. */
  #rewritten(entry: number, strip: Strip): string {
    const { entries, shape, valueAt } = this.#raw
    const value = parseCloudText(valueAt(entry))
    stripKeys(value, strip)
    return `${JSON.stringify(shape.names[entries.key(entry)])}:${toText(value)}`
  }

  #cutFor(obligations: Obligations): RawCut {
    let raw = this.#cuts.get(obligations)
    if (raw === undefined) {
      const { names, below } = this.#raw.shape
      const cut = this.#show.cutOf(obligations)
      const { keep, strip, open } = cut
      const fateOf = (name: string, key: number): Fate => {
        if (strip.has(name) || keep?.has(name) === false) return 'drop'
        return holdsAny(below[key], strip) ? 'rewrite' : 'copy'
      }
      const isOf = (name: string) => (side: number) => this.#sides[side]?.of === name
      const speaks = names.map((name) => {
        const sides = open.filter(isOf(name))
        return sides.length === 0 ? undefined : sides
      })
      raw = { cut, fates: names.map(fateOf), speaks }
      this.#cuts.set(obligations, raw)
    }
    return raw
  }
}

/** True where an object there, at any depth, has a key of these. */
function holdsAny(shape: Shape | undefined, strip: Strip): boolean {
  if (shape === undefined || strip.size === 0) return false
  return shape.names.some((name, key) => strip.has(name) || holdsAny(shape.below[key], strip))
}
