/** A path parameter that belongs to a device (a SIM, a ledger instance): the device is what is decided on. */

import type { Resource } from '../domain/access-request.ts'
import type { Method, Relation } from '../domain/catalog.ts'
import type { Principal } from '../domain/principal.ts'
import type { PolicyEngine } from '../policy/policy-engine.ts'
import type { Directory } from '../upstream/directory.ts'
import type { IdResolver, Named, Resolved } from './ids.ts'

export type Relate<Who = Principal> = (
  route: { relation: Relation; method: Method },
  params: Readonly<Record<string, string>>,
  place: Resource,
  actions: readonly string[],
  principal: Who,
) => Promise<Resolved>

/**
 * Nobody is asked where no answer could hang on the device, or where the place itself is denied. What is about to be
 * written is asked for anew: it may have come to another device by a way that the gate has not seen.
 */
export function createRelate(parts: {
  directory: Pick<Directory, 'related'>
  ids: IdResolver
  policy: Pick<PolicyEngine, 'hangsOnDevice' | 'maxAgeOf'>
}): Relate {
  const { directory, ids, policy } = parts
  return async ({ relation, method }, params, place, actions, principal) => {
    const asked =
      ids.isInReach(place, principal) &&
      actions.some((action) => policy.hangsOnDevice(principal, action, place))
    if (!asked) return { kind: 'resource', resource: place }
    const reads = method === 'GET' || method === 'HEAD'
    const maxAgeMs = reads ? policy.maxAgeOf(principal, actions) : 0
    const device = await directory.related(relation, params, place, principal.user, maxAgeMs)
    if (device === undefined) return { kind: 'resource', resource: place, relation: 'none' }
    const found = await ids.resolve({ ...namedIn(place), device }, principal, maxAgeMs)
    return found.kind === 'resource' ? { ...found, relation: 'device' } : found
  }
}

function namedIn({ organization, product }: Resource): Named {
  return {
    ...(organization !== undefined && { organization }),
    ...(product !== undefined && { product }),
  }
}
