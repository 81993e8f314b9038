/** Reads the facts about many devices of one product by its list: the same list for whoever needs any of it. */

import type { Catalog, ListAnswer, Pattern } from '../domain/catalog.ts'
import { unavailable } from './answer-facts.ts'
import type { UpstreamCredentials } from './credentials.ts'
import type { Sweep } from './directory.ts'
import {
  UpstreamRefusal,
  type FleetLists,
  type ListQuestion,
  type ListView,
} from './fleet-lists.ts'
import { breathe } from './lists/timer.ts'

/** Of a list that was never read nobody knows the length. Taken to be long: fewer devices are asked for one by one. */
const callsUnread = 500
/** Items looked at before others get their turn. */
const turnItems = 20_000

/** `undefined`: the catalog has no list of a product's devices that tells their attributes. */
export function createSweep(parts: {
  catalog: Pick<Catalog, 'routes'>
  credentials: UpstreamCredentials
  fleetLists: Pick<FleetLists, 'view' | 'size'>
}): Sweep | undefined {
  const { catalog, credentials, fleetLists } = parts
  const list = deviceList(catalog)
  if (list === undefined) return undefined
  const { answer, pattern } = list
  const pageSize = answer.items.paging?.maxSize ?? Number.POSITIVE_INFINITY

  function questionOf(product: string): ListQuestion {
    const place = { type: 'product', product } as const
    const path = pathTo(pattern, product)
    return { answer, path, query: [], place, credential: credentials.for(place) }
  }

  return {
    calls(product) {
      const size = fleetLists.size(questionOf(product))
      return size === undefined ? callsUnread : Math.max(1, Math.ceil(size / pageSize))
    },
    async read({ product, devices, user, maxAgeMs }) {
      const options = { user, maxAgeMs, ration: 'none' } as const
      try {
        const view = await fleetLists.view(questionOf(product), options)
        return { items: await itemsOf(view, devices), atMs: view.atMs }
      } catch (error) {
        // The client asked for something else: it is not told what became of this.
        if (error instanceof UpstreamRefusal) throw unavailable(error)
        throw error
      }
    },
  }
}

function deviceList({ routes }: Pick<Catalog, 'routes'>) {
  for (const { method, pattern, answer } of routes) {
    if (method !== 'GET' || answer.kind !== 'list' || answer.item !== 'device') continue
    const { items } = answer
    if (items?.facts !== 'item' || items.across !== undefined) continue
    const parameters = pattern.segments.flatMap((segment) =>
      'parameter' in segment ? [segment.parameter] : [],
    )
    if (parameters.join() !== 'product') continue
    const listed: ListAnswer = { ...answer, items }
    return { pattern, answer: listed }
  }
  return undefined
}

function pathTo({ segments }: Pattern, product: string): string {
  return segments
    .map((segment) =>
      'literal' in segment ? `/${segment.literal}` : `/${encodeURIComponent(product)}`,
    )
    .join('')
}

async function itemsOf(
  { items }: ListView,
  wanted: ReadonlySet<string>,
): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const [at, { id, text }] of items.entries()) {
    if (id !== undefined && wanted.has(id)) found.set(id, text)
    // oxlint-disable-next-line no-await-in-loop -- a large list must not hold up other requests
    if (at % turnItems === turnItems - 1) await breathe()
  }
  return found
}
