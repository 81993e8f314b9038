/** Lists of one resource each, as one list. */

import type { Clock } from '../../domain/clock.ts'
import type { ListAnswer } from '../../domain/catalog.ts'
import type { ListView } from '../fleet-lists.ts'
import { addSides } from './join-pages.ts'

/** As old as its oldest part. */
export function mergePicks(views: readonly ListView[], answer: ListAnswer, clock: Clock): ListView {
  const sides = answer.items.sides.map(() => new Map<string, string>())
  for (const view of views) addSides(sides, view.sides)
  return {
    items: views.flatMap(({ items }) => items),
    root: views[0]?.root ?? bareRoot(answer),
    sides,
    atMs: views.reduce((oldest, { atMs }) => Math.min(oldest, atMs), clock.monotonic()),
    calls: views.reduce((sum, { calls }) => sum + calls, 0),
  }
}

/** The least that has a list at its place: nothing was asked, so the cloud said nothing more. */
function bareRoot({ at }: ListAnswer): string {
  const keys = at === '' ? [] : at.split('.')
  return JSON.stringify(keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), []))
}
