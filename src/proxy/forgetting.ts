/** What is written may be read by the next decision: what is in memory of it is not believed any more. */

import type { OutcomeFields } from '../audit/audit-log.ts'
import type { AccessRequest, Resource } from '../domain/access-request.ts'
import type { Catalog } from '../domain/catalog.ts'
import type { Directory } from '../upstream/directory.ts'
import type { FleetLists } from '../upstream/fleet-lists.ts'

export type Memory = {
  catalog: Pick<Catalog, 'actions'>
  directory: Pick<Directory, 'forget'>
  fleetLists: Pick<FleetLists, 'touched'>
}

export async function forgetting(
  memory: Memory,
  requests: readonly AccessRequest[],
  target: string,
  send: () => Promise<OutcomeFields>,
): Promise<OutcomeFields> {
  const forget = forgetter(memory, requests, target)
  forget()
  try {
    return await send()
  } finally {
    // Once more: what was looked up while the write was under way may be from before it.
    forget()
  }
}

/** @param target as it is sent upstream */
export function forgetter(
  { catalog, directory, fleetLists }: Memory,
  requests: readonly AccessRequest[],
  target: string,
): () => void {
  const [path = ''] = target.split('?', 1)
  const touched = requests.flatMap(({ action, resource }): Touched[] => {
    const { changes, writes: written = [] } = catalog.actions.get(action) ?? {}
    if (changes === 'nothing') return []
    if (resource.type === 'device') return [{ resource, reach: 'device' }]
    // To rename a group changes every device in it.
    return [{ resource, reach: written.length > 0 ? 'place' : 'path' }]
  })
  const all = touched.length > MANY ? placesOf(touched) : touched
  return () => {
    for (const { resource, reach } of all) {
      if (reach !== 'path') directory.forget(resource)
      fleetLists.touched(resource, path, reach)
    }
  }
}

type Touched = { resource: Resource; reach: Parameters<FleetLists['touched']>[2] }

/** Writes on more devices at once are noted as one on their place: what is remembered of writes is bounded. */
const MANY = 50

function placesOf(touched: readonly Touched[]): Touched[] {
  const places = new Map<string, Touched>()
  for (const { resource, reach } of touched) {
    const { device, ...place } = resource
    if (device === undefined || place.product === undefined) {
      places.set(JSON.stringify([resource, reach]), { resource, reach })
    } else {
      places.set(place.product, { resource: { ...place, type: 'product' }, reach: 'place' })
    }
  }
  return [...places.values()]
}
