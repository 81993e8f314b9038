/** A list brought up to date for a few resources, without reading the others again. */

import type { ListItem, ListView } from '../fleet-lists.ts'
import { addSides } from './join-pages.ts'
import { breathe } from './timer.ts'

/** What the list has of one resource now; nothing, if it does not list it any more. */
export type Patch = { id: string; now: ListView }

/** Items handled before others get their turn. */
const turnItems = 20_000

/**
 * A new view of the same age: what is still listed takes the place it had, what is new comes last, what is gone
 * is left out.
 */
export async function patchView(view: ListView, patches: readonly Patch[]): Promise<ListView> {
  const left = new Map(patches.map(({ id, now }) => [id, now.items]))
  const items: ListItem[] = []
  const touched = new Set(left.keys())
  for (const [at, item] of view.items.entries()) {
    // oxlint-disable-next-line no-await-in-loop -- a large list must not hold up other requests
    if (at % turnItems === turnItems - 1) await breathe()
    if (item.id === undefined || !touched.has(item.id)) {
      items.push(item)
      continue
    }
    items.push(...(left.get(item.id) ?? []))
    left.delete(item.id)
  }
  for (const added of left.values()) items.push(...added)
  const sides = patches.reduce((known, { now }) => newerSides(known, now.sides), view.sides)
  return { ...view, items, sides }
}

function newerSides(known: ListView['sides'], newer: ListView['sides']): ListView['sides'] {
  if (newer.every((side) => side.size === 0)) return known
  const sides = newer.map((side) => new Map(side))
  addSides(sides, known)
  return sides
}
