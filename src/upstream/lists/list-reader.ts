/** Reads a whole list of the cloud: the first page, then the others a few at a time, put together in the cloud's order. */

import type { Catalog } from '../../domain/catalog.ts'
import type { Clock } from '../../domain/clock.ts'
import type { ListQuestion, ListView } from '../fleet-lists.ts'
import { atOnce } from './at-once.ts'
import type { CallWanted, Claim } from './call-budget.ts'
import { joinPages, sharing } from './join-pages.ts'
import type { AskPage } from './list-call.ts'
import { readPage, type ListPage } from './list-page.ts'
import type { Room } from './shelf.ts'
import { breathe } from './timer.ts'

export type Reading = {
  claim(): Claim
  signal: AbortSignal
  room: Room
  /** Only what is, or belongs to, this resource. */
  only?: string | undefined
  /** What was read before: items that are still the same take no memory twice. */
  before?: ListView | undefined
  /**
   * Told of pages beside the first, as soon as it is known that there are any: all of them before one is asked for,
   * or, where the cloud does not say how many, `one by one`. What it throws ends the reading.
   */
  onMore?(pages: number, how: 'all' | 'one by one'): void
}

/** `bytes`: memory the view takes, about. */
export type ListRead = { view: ListView; bytes: number }

export type ListReader = {
  /** @throws as `FleetLists` does; the signal's reason */
  read(question: ListQuestion, reading: Reading): Promise<ListRead>
}

/** Pages of one list asked for at a time. */
const pagesAtOnce = 6

export function createListReader(parts: {
  resources: Catalog['resources']
  clock: Clock
  ask: AskPage
}): ListReader {
  const { resources, clock, ask } = parts
  return {
    async read(question, reading) {
      const atMs = clock.monotonic()
      const over = new AbortController()
      const signal = AbortSignal.any([reading.signal, over.signal])
      const { answer } = question
      const resource = answer.item === 'none' ? undefined : resources[answer.item]
      const share = await sharing(reading.before)

      async function page(number: number, patience: CallWanted['patience']): Promise<ListPage> {
        const { claim } = reading
        const found = await ask(question, number, { claim, patience, signal })
        const { page: shared, savedBytes } = share(await readPage(found, answer, resource))
        reading.room.grow(shared.bytes - savedBytes)
        // Others get their turn between two pages.
        await breathe()
        return shared
      }

      try {
        const first = await page(1, 'refuses')
        const more = (number: number) => page(number, 'waits')
        const paged = answer.items.paging !== undefined && first.items.length > 0
        const pages = paged ? await readOthers(first, more, reading) : [first]
        const joined = await joinPages(pages, answer.items, reading.only)
        const bytes = pages.reduce((sum, { bytes }) => sum + bytes, 0)
        return { view: { ...joined, atMs, calls: pages.length }, bytes }
      } finally {
        // Where one call failed, the others of this list are of no use.
        over.abort()
      }
    },
  }
}

async function readOthers(
  first: ListPage,
  page: (number: number) => Promise<ListPage>,
  reading: Reading,
): Promise<ListPage[]> {
  const pages = [first]
  const known = pageCount(first, first)
  if (known === undefined) return readToTheEnd(pages, page, reading)
  reading.room.expect(first.bytes * known)
  if (known > 1) reading.onMore?.(known - 1, 'all')
  let last = known
  let end = Infinity
  let next = 2
  await atOnce(pagesAtOnce, async () => {
    if (next > Math.min(last, end)) return 'done'
    const number = next++
    const found = await page(number)
    pages[number - 1] = found
    // The list may have grown or shrunk meanwhile.
    last = Math.max(last, pageCount(found, first) ?? 0)
    if (found.items.length === 0) end = Math.min(end, number)
    return 'more'
  })
  return pages
}

/** The cloud says nowhere how long the list is. */
async function readToTheEnd(
  pages: ListPage[],
  page: (number: number) => Promise<ListPage>,
  reading: Reading,
): Promise<ListPage[]> {
  for (let number = 2; ; number++) {
    reading.onMore?.(1, 'one by one')
    // oxlint-disable-next-line no-await-in-loop -- only each page tells whether there is another
    const found = await page(number)
    // Past the end some clouds repeat their last page.
    if (found.items.length === 0 || repeats(found, pages.at(-1))) return pages
    pages.push(found)
  }
}

function repeats(page: ListPage, before: ListPage | undefined): boolean {
  return (
    page.items.length === before?.items.length &&
    page.items.every(({ text }, at) => text === before.items[at]?.text)
  )
}

/** The cloud's own count, else by the size of its first page: it may have capped ours. */
function pageCount({ stated }: ListPage, first: ListPage): number | undefined {
  if (stated.pages !== undefined) return stated.pages
  if (stated.total === undefined) return undefined
  return Math.ceil(stated.total / first.items.length)
}
