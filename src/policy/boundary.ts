/** Whether a resource lies inside a boundary, by ids alone. */

import type { Resource } from '../domain/access-request.ts'
import type { Boundary } from '../domain/grant.ts'

/** A route about no resource is inside: what it lists is cut to the boundary. What lacks an id is outside. */
export function isInside(resource: Resource, boundary: Boundary): boolean {
  if (resource.type === 'none') return true
  if (boundary.kind === 'organization') return resource.organization === boundary.organization
  return resource.product !== undefined && boundary.products.includes(resource.product)
}
