/** One item as its own obligations show it, and the entries beside the list that are about it. */

import type { ListAnswer, Side } from '../../domain/catalog.ts'
import type { Obligations } from '../../domain/decision.ts'
import { plainText, type JsonObject } from '../../lib/cloud-json.ts'
import { createItemCut, strippedKeys, type CutItem, type Strip } from '../cut.ts'
import { pathReader } from './items.ts'

export type Show = {
  /** The item given is used up. */
  item(item: JsonObject, obligations: Obligations): JsonObject
  /** What becomes of an item, for who cuts it by other means. */
  cutOf(obligations: Obligations): Cut
  /** An item that is cut so speaks of this key of a side. */
  speak(side: number, key: string | undefined, cut: Pick<Cut, 'strip'>): void
  /** Per side: keys of the entries that the items shown so far speak of, and what is stripped from each. */
  readonly wanted: readonly ReadonlyMap<string, Strip>[]
  /** What the list as a whole strips. */
  readonly strip: Strip
}

/** @param secrets of all answers that the items went through */
export function createShow(
  { items: { sides } }: ListAnswer,
  secrets: readonly string[],
  ofList: Obligations,
): Show {
  const cuts = new Map<Obligations, Cut>()
  const speakers = sides.map(({ of }) => pathReader(of))
  const wanted = sides.map(() => new Map<string, Strip>())

  function cutOf(obligations: Obligations): Cut {
    let cut = cuts.get(obligations)
    if (cut === undefined) {
      const strip = strippedKeys(obligations, secrets)
      const isOpen = (side?: Side) => side !== undefined && !isStripped(side.at, strip)
      const open = [...sides.keys()].filter((index) => isOpen(sides[index]))
      cut = {
        cutItem: createItemCut(obligations.answer, strip),
        keep: obligations.answer,
        strip,
        open,
      }
      cuts.set(obligations, cut)
    }
    return cut
  }

  /** An owner that is not shown is not shown under another key either. */
  function speak(index: number, key: string | undefined, { strip }: Pick<Cut, 'strip'>): void {
    const side = wanted[index]
    if (key === undefined || side === undefined) return
    const before = side.get(key)
    if (before !== strip) side.set(key, before === undefined ? strip : before.union(strip))
  }

  return {
    wanted,
    strip: cutOf(ofList).strip,
    cutOf,
    speak,
    item(item, obligations) {
      const cut = cutOf(obligations)
      const shown = cut.cutItem(item)
      for (const index of cut.open) speak(index, plainText(speakers[index]?.(shown)), cut)
      return shown
    },
  }
}

/** `open`: positions of the sides that may be shown with an item that is cut so. */
export type Cut = {
  cutItem: CutItem
  keep: ReadonlySet<string> | undefined
  strip: Strip
  open: readonly number[]
}

/** True where a key on the way is taken out at any depth. */
export function isStripped(path: string, strip: Strip): boolean {
  return strip.size > 0 && path.split('.').some((key) => strip.has(key))
}
