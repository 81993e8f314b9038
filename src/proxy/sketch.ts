/** What a request is about as far as its path and query say it: for the record of what cannot be described better. */

import { canonicalId } from '../domain/canonical-id.ts'
import type { AccessRequest, Resource } from '../domain/access-request.ts'
import type { Catalog, Route } from '../domain/catalog.ts'
import { Problem } from '../domain/problem.ts'
import type { CanonicalTarget } from '../domain/target.ts'
import { questionOf } from './deeds.ts'

const noBody = {
  contentType: '',
  keys: {},
  bytes: undefined,
  guard: { kind: 'none' as const },
}

/** Names are no ids: what is spelled by one stays unsaid. Deeds that hang on the body are left out. */
export function sketchOf(
  resources: Catalog['resources'],
  route: Route,
  params: Readonly<Record<string, string>>,
  { query }: CanonicalTarget,
): { resource: Resource; requests: readonly AccessRequest[] } {
  const resource = placeIn(resources, params)
  const deeds = route.deeds.filter(({ keys }) => keys.length === 0)
  try {
    const inputs = { params, query, body: noBody }
    const requests = deeds.map((deed) => ({ ...questionOf(route, deed, inputs), resource }))
    return { resource, requests }
  } catch (thrown) {
    if (!(thrown instanceof Problem)) throw thrown
    return { resource, requests: [] }
  }
}

function placeIn(
  resources: Catalog['resources'],
  params: Readonly<Record<string, string>>,
): Resource {
  const place: Resource = { type: 'none' }
  for (const type of ['organization', 'product', 'device'] as const) {
    const id = canonicalId(resources[type], params[type] ?? '')
    if (id === undefined) continue
    place.type = type
    place[type] = id
  }
  return place
}
