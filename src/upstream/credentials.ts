/** Which of the gate's own credentials speaks for a resource. */

import { Problem } from '../domain/problem.ts'
import type { Resource } from '../domain/access-request.ts'
import type { Secret } from '../lib/secret.ts'

export type UpstreamCredentials = {
  /** @throws Problem `upstream_refused` where none is configured for it. */
  for(resource: Resource): Secret
}

/** Keys are canonical ids. The most specific one wins: product, organization, default. */
export function createCredentials(secrets: {
  default?: Secret
  products?: ReadonlyMap<string, Secret>
  organizations?: ReadonlyMap<string, Secret>
}): UpstreamCredentials {
  return {
    for({ product, organization }) {
      const found =
        (product === undefined ? undefined : secrets.products?.get(product)) ??
        (organization === undefined ? undefined : secrets.organizations?.get(organization)) ??
        secrets.default
      if (found !== undefined) return found
      const place = product ?? organization ?? 'anything'
      throw new Problem('upstream_refused', { cause: `no upstream credential for ${place}` })
    },
  }
}
