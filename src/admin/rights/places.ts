/** The product or device that an operator asks about, as ids; beyond an operator's product there is nothing. */

import { canonicalId } from '../../domain/canonical-id.ts'
import type { Resource } from '../../domain/access-request.ts'
import type { Catalog } from '../../domain/catalog.ts'
import type { ApiUser } from '../../domain/grant.ts'
import { Problem } from '../../domain/problem.ts'
import type { Directory } from '../../upstream/directory.ts'
import type { Actor } from '../api-users.ts'
import { authorOf } from '../users/changing.ts'

export type Named = { product: string | undefined; device: string | undefined }

export type Places = {
  /** With its organization. @throws Problem `not_found`, `invalid_request` where neither is said, and as the directory */
  find(actor: Actor, named: Named): Promise<Resource>
  /** Where neither is said, the API user's own one place. */
  findFor(actor: Actor, named: Named, user: ApiUser): Promise<Resource>
}

export type PlacesParts = {
  catalog: Pick<Catalog, 'resources'>
  directory: Pick<Directory, 'product' | 'device'>
}

export function createPlaces({ catalog: { resources }, directory }: PlacesParts): Places {
  const find: Places['find'] = async (actor, { product, device }) => {
    if (device === undefined && product === undefined) {
      throw new Problem('invalid_request', { says: 'Say which product or device.' })
    }
    const who = authorOf(actor)
    const inside = device === undefined ? undefined : await lookUpDevice(device, product, who)
    const id = inside?.product ?? (product === undefined ? undefined : await idOf(product, who))
    if (id === undefined) throw nowhere()
    const bound = actor.operator.product
    if (bound !== undefined && bound !== id) throw nowhere()
    const organization = (await directory.product(id, who))?.organization
    return {
      type: inside === undefined ? 'product' : 'device',
      product: id,
      ...(inside !== undefined && { device: inside.device }),
      ...(organization !== undefined && { organization }),
    }
  }

  /** Of the same product in any spelling; one that is in none is nobody's. */
  async function lookUpDevice(name: string, product: string | undefined, who: string) {
    const id = canonicalId(resources.device, name)
    const place = product === undefined ? undefined : await idOf(product, who)
    if (product !== undefined && place === undefined) throw nowhere()
    // What a list of ids names may not be in the product yet.
    if (id !== undefined && place !== undefined) return { device: id, product: place }
    const found = await directory.device(id ?? name, who)
    if (found?.product === undefined) throw nowhere()
    if (place !== undefined && found.product !== place) throw nowhere()
    return { device: found.id, product: found.product }
  }

  async function idOf(product: string, who: string): Promise<string | undefined> {
    return canonicalId(resources.product, product) ?? (await directory.product(product, who))?.id
  }

  return {
    find,
    async findFor(actor, named, { grant: { boundary } }) {
      if (named.device !== undefined || named.product !== undefined) return find(actor, named)
      if (boundary.kind === 'organization') {
        return { type: 'organization', organization: boundary.organization }
      }
      const [product, ...more] = boundary.products
      if (product === undefined || more.length > 0) {
        const list = boundary.products.join(', ')
        throw new Problem('invalid_request', { says: `Say which product (${list}) or device.` })
      }
      return find(actor, { product, device: undefined })
    },
  }
}

function nowhere(): Problem {
  return new Problem('not_found', { says: 'There is no such product or device.' })
}
