/** Slugs, names and other spellings become ids before anything is decided; what cannot be resolved is denied. */

import { canonicalId } from '../domain/canonical-id.ts'
import type { AccessRequest, Resource } from '../domain/access-request.ts'
import type { Catalog, ResourceSpec } from '../domain/catalog.ts'
import type { DenyReason } from '../domain/decision.ts'
import type { Boundary } from '../domain/grant.ts'
import type { Principal } from '../domain/principal.ts'
import { isInside } from '../policy/boundary.ts'
import { scannerPattern } from '../store/token-format.ts'
import type { Directory } from '../upstream/directory.ts'

/** A token of ours, or one shaped as the cloud's, is the name of nothing, and no question to the cloud (T12). */
const tokenShaped = new RegExp(`${scannerPattern}|^[0-9A-Fa-f]{40}$`)

export type Resolved =
  | { kind: 'resource'; resource: Resource; relation?: AccessRequest['relation'] }
  | { kind: 'unresolved'; reason: Extract<DenyReason, 'outside_boundary' | 'outside_devices'> }

/** Path parameters that name resources; the catalog's patterns call them so. */
export type Named = { organization?: string; product?: string; device?: string }

/** `Who`: on whose behalf it is looked up. */
export type IdResolver<Who = Principal> = {
  /**
   * At once where all is spelled as ids and nobody has to be asked. `maxAgeMs`: how old it may be which product a device
   * is in, where that is tighter than what is configured.
   */
  resolve(named: Named, principal: Who, maxAgeMs?: number): Resolved | Promise<Resolved>
  /** False: it will be denied whatever it holds, so nobody is asked about what it holds. */
  isInReach(place: Resource, principal: Who): boolean
}

/**
 * @param boundaryOf today's boundary of an API user; undefined: there is no such user any more
 */
export function createIdResolver(
  resources: Catalog['resources'],
  directory: Directory,
  boundaryOf: (principal: Principal) => Boundary | undefined,
): IdResolver {
  function resolve(
    named: Named,
    principal: Principal,
    maxAgeMs?: number,
  ): Resolved | Promise<Resolved> {
    const organization = spelledAsId(named.organization, resources.organization)
    const product = spelledAsId(named.product, resources.product)
    if (organization === null || product === null) return lookUp(named, principal, maxAgeMs)
    return inPlace(placeOf(organization, product), named.device, principal, maxAgeMs)
  }

  async function lookUp(
    named: Named,
    principal: Principal,
    maxAgeMs: number | undefined,
  ): Promise<Resolved> {
    const { user } = principal
    if (tokenShaped.test(named.organization ?? '') || tokenShaped.test(named.product ?? '')) {
      return outside('outside_boundary')
    }
    let organization = spelledAsId(named.organization, resources.organization)
    if (organization === null) {
      organization = (await directory.organization(named.organization ?? '', user)) ?? null
    }
    let product = spelledAsId(named.product, resources.product)
    if (product === null) product = (await directory.product(named.product ?? '', user))?.id ?? null
    if (organization === null || product === null) return outside('outside_boundary')
    return inPlace(placeOf(organization, product), named.device, principal, maxAgeMs)
  }

  /** In a product the cloud takes ids only; without one a name too, and the directory says which product it is in. */
  function inPlace(
    place: Resource,
    spelling: string | undefined,
    principal: Principal,
    maxAgeMs: number | undefined,
  ): Resolved | Promise<Resolved> {
    if (spelling === undefined) return inOrganization(place, principal)
    const id = canonicalId(resources.device, spelling)
    if (place.product === undefined) return lookUpDevice(id, spelling, place, principal, maxAgeMs)
    if (id === undefined) return outside('outside_devices')
    return inOrganization({ ...place, type: 'device', device: id }, principal)
  }

  async function lookUpDevice(
    id: string | undefined,
    spelling: string,
    place: Resource,
    principal: Principal,
    maxAgeMs: number | undefined,
  ): Promise<Resolved> {
    if (id === undefined && tokenShaped.test(spelling)) return outside('outside_boundary')
    const found = await directory.device(id ?? spelling, principal.user, maxAgeMs)
    if (found?.product === undefined) return outside('outside_boundary')
    if (id !== undefined && found.id !== id) return outside('outside_devices')
    const { product, id: device } = found
    const resource: Resource = { ...place, type: 'device', product, device }
    // The organization in the path says nothing about a device that is in none of its products.
    if (product !== undefined || place.organization === undefined) {
      return inOrganization(resource, principal)
    }
    directory.deadEnd({ type: 'device', device }, principal.user)
    return outside('outside_boundary')
  }

  /** Whose a product is matters to API users of an organization, and where the path says one as well. */
  function inOrganization(place: Resource, principal: Principal): Resolved | Promise<Resolved> {
    const { organization, product } = place
    const needed =
      organization !== undefined ||
      principal.issued.boundary.kind === 'organization' ||
      boundaryOf(principal)?.kind === 'organization'
    if (product === undefined || !needed) return { kind: 'resource', resource: place }
    return ownedBy(product, place, principal)
  }

  async function ownedBy(product: string, place: Resource, { user }: Principal): Promise<Resolved> {
    const owner = (await directory.product(product, user))?.organization
    const agrees = owner !== undefined && (place.organization ?? owner) === owner
    if (!agrees) {
      const { organization: _, ...found } = place
      directory.deadEnd(found, user)
      return outside('outside_boundary')
    }
    return { kind: 'resource', resource: { ...place, organization: owner } }
  }

  return {
    resolve,
    isInReach(place, principal) {
      const today = boundaryOf(principal)
      const { boundary } = principal.issued
      return today !== undefined && isInside(place, today) && isInside(place, boundary)
    },
  }
}

function placeOf(organization: string | undefined, product: string | undefined): Resource {
  const place: Resource = { type: 'none' }
  if (organization !== undefined) {
    place.type = 'organization'
    place.organization = organization
  }
  if (product !== undefined) {
    place.type = 'product'
    place.product = product
  }
  return place
}

/** `undefined`: not named. `null`: named, and by no id. */
function spelledAsId(spelling: string | undefined, spec: ResourceSpec): string | undefined | null {
  return spelling === undefined ? undefined : (canonicalId(spec, spelling) ?? null)
}

function outside(reason: 'outside_boundary' | 'outside_devices'): Resolved {
  return { kind: 'unresolved', reason }
}
