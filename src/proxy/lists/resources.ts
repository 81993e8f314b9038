/** Which resource each item of a list is or belongs to, with the product and organization that decide over it. */

import type { Resource, ResourceType } from '../../domain/access-request.ts'
import type { Principal } from '../../domain/principal.ts'
import type { PolicyEngine } from '../../policy/policy-engine.ts'
import type { Directory } from '../../upstream/directory.ts'

export type ResourceOf = (id: string) => Resource | undefined

export type ItemResources = {
  /**
   * `asked`: the directory said some of it, so that it is true for now only.
   * @param ids canonical ids of all items that may pass; looked through only where each must be looked up
   */
  of(
    list: { item: ResourceType; place: Resource; principal: Principal },
    ids: () => Iterable<string>,
  ): Promise<{ resourceOf: ResourceOf; asked: boolean }>
  /** The products that lie in the boundary of the issued grant and of today's, in its order. */
  products(principal: Principal): Promise<Resource[]>
}

export function createItemResources(parts: {
  policy: Pick<PolicyEngine, 'userOf'>
  directory: Directory
}): ItemResources {
  const { policy, directory } = parts

  /** The organization that one of the two boundaries is; both must hold, so either will do. */
  function organizationOf(principal: Principal): string | undefined {
    const { issued } = principal
    const today = policy.userOf(principal)?.grant.boundary
    if (today?.kind === 'organization') return today.organization
    return issued.boundary.kind === 'organization' ? issued.boundary.organization : undefined
  }

  async function products(principal: Principal): Promise<Resource[]> {
    const { user, issued } = principal
    const today = policy.userOf(principal)?.grant.boundary
    if (today === undefined) return []
    const organization = organizationOf(principal)
    const owned = organization === undefined ? [] : await directory.products(organization, user)
    const ids = today.kind === 'products' ? today.products : owned
    return ids
      .filter((id) => organization === undefined || owned.includes(id))
      .filter((id) => issued.boundary.kind !== 'products' || issued.boundary.products.includes(id))
      .map((product) => ({
        type: 'product',
        ...(organization !== undefined && { organization }),
        product,
      }))
  }

  async function productsListed(principal: Principal, place: Resource) {
    const { organization } = place
    if (organization !== undefined) {
      const resourceOf: ResourceOf = (product) => ({ type: 'product', organization, product })
      return { resourceOf, asked: false }
    }
    const known = new Map(
      (await products(principal)).map((resource) => [resource.product, resource]),
    )
    return { resourceOf: (id: string) => known.get(id), asked: true }
  }

  /** Lists of an organization say of which device an item is, not in which product that device is. */
  async function devicesAnywhere(principal: Principal, place: Resource, ids: Iterable<string>) {
    const { user } = principal
    const around = await productsAround(principal, place)
    const placed = await directory.locate([...new Set(ids)], [...around.keys()], user)
    const resourceOf: ResourceOf = (device) => {
      const within = around.get(placed.get(device) ?? '')
      return within && { ...within, type: 'device', device }
    }
    return { resourceOf, asked: true }
  }

  /** Products of the place that lie in the boundary, with the organization that they are of. */
  async function productsAround(principal: Principal, { organization }: Resource) {
    const inside = await products(principal)
    const owned =
      organization === undefined
        ? undefined
        : new Set(await directory.products(organization, principal.user))
    const around = new Map<string, Resource>()
    for (const resource of inside) {
      const { product } = resource
      if (product === undefined || owned?.has(product) === false) continue
      around.set(product, { ...resource, ...(organization !== undefined && { organization }) })
    }
    return around
  }

  return {
    products,
    async of({ item, place, principal }, ids) {
      switch (item) {
        case 'none':
          return { resourceOf: () => undefined, asked: false }
        case 'organization':
          return { resourceOf: (id) => ({ type: item, organization: id }), asked: false }
        case 'product':
          return productsListed(principal, place)
        case 'device':
          if (place.product === undefined) return devicesAnywhere(principal, place, ids())
          return { resourceOf: devicesIn(place, place.product), asked: false }
      }
    },
  }
}

/** Written out, for it is made for each of many items. */
function devicesIn({ organization }: Resource, product: string): ResourceOf {
  return organization === undefined
    ? (device) => ({ type: 'device', product, device })
    : (device) => ({ type: 'device', organization, product, device })
}
