/** Slugs, names and other spellings become ids before anything is decided; what cannot be resolved is denied. */

import type { Resource } from '../domain/access-request.ts'
import type { Catalog, ResourceSpec } from '../domain/catalog.ts'
import type { DenyReason } from '../domain/decision.ts'
import type { Boundary } from '../domain/grant.ts'
import type { Principal } from '../domain/principal.ts'
import type { Directory } from '../upstream/directory.ts'

export type Resolved =
  | { kind: 'resource'; resource: Resource }
  | { kind: 'unresolved'; reason: Extract<DenyReason, 'outside_boundary' | 'outside_devices'> }

/** Path parameters that name resources; the catalog's patterns call them so. */
export type Named = { organization?: string; product?: string; device?: string }

export type IdResolver = {
  resolve(named: Named, principal: Principal): Promise<Resolved>
}

/**
 * @param boundaryOf today's boundary of an API user; undefined: there is no such user any more
 */
export function createIdResolver(
  resources: Catalog['resources'],
  directory: Directory,
  boundaryOf: (user: string) => Boundary | undefined,
): IdResolver {
  async function resolve(named: Named, principal: Principal): Promise<Resolved> {
    const { user } = principal
    const organization = await canonical(named.organization, resources.organization, (alias) =>
      directory.organization(alias, user),
    )
    const product = await canonical(named.product, resources.product, async (alias) => {
      return (await directory.product(alias, user))?.id
    })
    if (organization === null || product === null) return outside('outside_boundary')
    const place: Resource = {
      type:
        product !== undefined ? 'product' : organization !== undefined ? 'organization' : 'none',
      ...(organization !== undefined && { organization }),
      ...(product !== undefined && { product }),
    }
    if (named.device !== undefined) return resolveDevice(named.device, place, principal)
    return inOrganization(place, principal)
  }

  /** In a product the cloud takes ids only; without one a name too, and the directory says which product it is in. */
  async function resolveDevice(
    spelling: string,
    place: Resource,
    principal: Principal,
  ): Promise<Resolved> {
    const id = idOf(spelling, resources.device)
    if (place.product !== undefined) {
      if (id === undefined) return outside('outside_devices')
      return inOrganization({ ...place, type: 'device', device: id }, principal)
    }
    const found = await directory.device(id ?? spelling, principal.user)
    if (found?.product === undefined) return outside('outside_boundary')
    if (id !== undefined && found.id !== id) return outside('outside_devices')
    return inOrganization(
      { ...place, type: 'device', product: found.product, device: found.id },
      principal,
    )
  }

  /** Whose a product is matters to API users of an organization, and where the path says one as well. */
  async function inOrganization(place: Resource, principal: Principal): Promise<Resolved> {
    if (place.product === undefined) return { kind: 'resource', resource: place }
    const asked = [principal.issued.boundary, boundaryOf(principal.user)]
    const needed = place.organization !== undefined || asked.some((b) => b?.kind === 'organization')
    if (!needed) return { kind: 'resource', resource: place }
    const owner = (await directory.product(place.product, principal.user))?.organization
    const agrees = owner !== undefined && (place.organization ?? owner) === owner
    if (!agrees) return outside('outside_boundary')
    return { kind: 'resource', resource: { ...place, organization: owner } }
  }

  return { resolve }
}

/** `undefined`: not named. `null`: named, and not known. */
async function canonical(
  spelling: string | undefined,
  spec: ResourceSpec,
  lookUp: (alias: string) => Promise<string | undefined>,
): Promise<string | undefined | null> {
  if (spelling === undefined) return undefined
  return idOf(spelling, spec) ?? (await lookUp(spelling)) ?? null
}

/** The canonical id a spelling is, or undefined where it is no id. */
export function idOf(spelling: string, { id, fold }: ResourceSpec): string | undefined {
  const folded = fold === 'lower' ? spelling.toLowerCase() : spelling
  return id.test(folded) ? folded : undefined
}

function outside(reason: 'outside_boundary' | 'outside_devices'): Resolved {
  return { kind: 'unresolved', reason }
}
