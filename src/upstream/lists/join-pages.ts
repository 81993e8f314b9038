/** Puts the pages of one list together, although the list may have shifted while they were read. */

import type { ItemsSpec } from '../../domain/catalog.ts'
import type { ListItem, ListView } from '../fleet-lists.ts'
import { itemOverheadBytes, type ListPage } from './list-page.ts'
import { breathe } from './timer.ts'

/** Items handled before others get their turn. */
const turnItems = 5000

/** An item that an earlier page had already is not listed twice. */
export async function joinPages(
  pages: readonly ListPage[],
  spec: ItemsSpec,
  only: string | undefined,
): Promise<Pick<ListView, 'items' | 'sides' | 'root'>> {
  const items: ListItem[] = []
  const seen = new Set<string>()
  const sides = spec.sides.map(() => new Map<string, string>())
  let turn = turnItems
  for (const page of pages) {
    const fresh = page.items.filter((item) => !seen.has(nameOf(item, spec)))
    for (const item of fresh) {
      if (only === undefined || item.id === only) items.push(item)
      if (pages.length > 1) seen.add(nameOf(item, spec))
    }
    addSides(sides, page.sides)
    turn -= page.items.length
    if (turn < 0) {
      turn = turnItems
      // oxlint-disable-next-line no-await-in-loop -- a large list must not hold up other requests
      await breathe()
    }
  }
  return { items, sides, root: pages[0]?.root ?? '{}' }
}

/** The first word on a key counts. */
export function addSides(
  sides: readonly Map<string, string>[],
  more: readonly ReadonlyMap<string, string>[],
): void {
  for (const [at, side] of sides.entries()) {
    for (const [key, text] of more[at] ?? []) if (!side.has(key)) side.set(key, text)
  }
}

/** Many items may belong to one resource; only where they are the resources is an id an item's own. */
function nameOf({ id, text }: ListItem, { facts }: ItemsSpec): string {
  return facts === 'item' && id !== undefined ? id : text
}

export type Share = (page: ListPage) => { page: ListPage; savedBytes: number }

/** Items that are as they were before are the same objects again. */
export async function sharing(before: ListView | undefined): Promise<Share> {
  if (before === undefined) return (page) => ({ page, savedBytes: 0 })
  const known = new Map<string, ListItem>()
  for (const [at, item] of before.items.entries()) {
    if (item.id !== undefined) known.set(item.id, item)
    // oxlint-disable-next-line no-await-in-loop -- a large list must not hold up other requests
    if (at % turnItems === turnItems - 1) await breathe()
  }
  return (page) => {
    let savedBytes = 0
    const items = page.items.map((item) => {
      const earlier = item.id === undefined ? undefined : known.get(item.id)
      if (earlier?.text !== item.text) return item
      savedBytes += item.text.length * page.bytesPerChar + itemOverheadBytes
      return earlier
    })
    return { page: { ...page, items }, savedBytes }
  }
}
