/** Describes what callers ask whom the gate does not know: by what stands in the request, and a few look-ups for all of them. */

import { canonicalId } from '../domain/canonical-id.ts'
import type { Resource } from '../domain/access-request.ts'
import type { Catalog } from '../domain/catalog.ts'
import type { Clock } from '../domain/clock.ts'
import { Problem } from '../domain/problem.ts'
import type { Directory } from '../upstream/directory.ts'
import type { Stranger } from './caller.ts'
import { createDescribe, type Describe } from './describe.ts'
import type { IdResolver, Named } from './ids.ts'

export type StrangersParts = {
  catalog: Catalog
  directory: Pick<Directory, 'organization' | 'product' | 'device' | 'placed'>
  clock: Pick<Clock, 'monotonic'>
  /** Look-ups of all strangers together. */
  perMinute: number
}

/** In the directory's books they are one; no API user is called so. */
const everyStranger = '(stranger)'
const minuteMs = 60_000

export function createDescribeStranger(parts: StrangersParts): Describe<Stranger> {
  const { catalog, directory } = parts
  const { resources } = catalog
  const lookUp = rationed(parts)

  async function inPlace(place: Resource, spelling: string | undefined): Promise<Resource> {
    if (spelling === undefined) return place
    const id = canonicalId(resources.device, spelling)
    const device: Resource = { ...place, type: 'device', ...(id !== undefined && { device: id }) }
    if (place.product !== undefined) return id === undefined ? place : device
    const known = id === undefined ? undefined : directory.placed(id)
    if (known?.product !== undefined) return { ...device, product: known.product }
    const found = await lookUp(() => directory.device(id ?? spelling, everyStranger))
    if (found === undefined) return id === undefined ? place : device
    const product = found.product === undefined ? {} : { product: found.product }
    return { ...device, ...product, device: found.id }
  }

  async function placeOf({ organization, product }: Named): Promise<Resource> {
    const place: Resource = { type: 'none' }
    if (organization !== undefined) {
      const id = canonicalId(resources.organization, organization)
      const found = id ?? (await lookUp(() => directory.organization(organization, everyStranger)))
      if (found !== undefined) Object.assign(place, { type: 'organization', organization: found })
    }
    if (product !== undefined) {
      const id = canonicalId(resources.product, product)
      const found = id ?? (await lookUp(() => directory.product(product, everyStranger)))?.id
      if (found !== undefined) Object.assign(place, { type: 'product', product: found })
    }
    return place
  }

  const ids: IdResolver<Stranger> = {
    async resolve(named) {
      return { kind: 'resource', resource: await inPlace(await placeOf(named), named.device) }
    },
    isInReach: () => true,
  }
  return createDescribe<Stranger>(catalog, ids, async (_route, _params, place) => ({
    kind: 'resource',
    resource: place,
  }))
}

/** What is not found, or costs too much by now, stays unsaid. */
function rationed({ clock, perMinute }: Pick<StrangersParts, 'clock' | 'perMinute'>) {
  let sinceMs = clock.monotonic()
  let left = perMinute
  return async <T>(ask: () => Promise<T>): Promise<T | undefined> => {
    const nowMs = clock.monotonic()
    if (nowMs - sinceMs >= minuteMs) {
      sinceMs = nowMs
      left = perMinute
    }
    if (left <= 0) return undefined
    left -= 1
    try {
      return await ask()
    } catch (thrown) {
      if (thrown instanceof Problem && thrown.code !== 'internal') return undefined
      throw thrown
    }
  }
}
