/** Which device a path parameter belongs to, read from what the catalog says to ask for it. */

import type { Resource } from '../domain/access-request.ts'
import type { Relation, ResourceSpec } from '../domain/catalog.ts'
import { Problem } from '../domain/problem.ts'
import { valueAtPath } from '../lib/cloud-json.ts'
import { pickText } from './answer-facts.ts'
import type { DirectoryClient, Get } from './directory-client.ts'

export function createRelations(
  device: ResourceSpec,
  fold: DirectoryClient['fold'],
  get: Get,
): DirectoryClient['related'] {
  return async ({ when, device: paths, absent }, target, place, user) => {
    const root = await get({ target, place, absent, user })
    if (root === undefined) return undefined
    if (when !== undefined && pickText(root, when.at) !== when.is) return undefined
    if (paths.length === 0) return ''
    // The first that is there counts: an odd text in its place must not let an older device in.
    const path = paths.find((one) => !isEmpty(valueAtPath(root, one)))
    const stated = pickText(root, path)
    const id = stated === undefined ? undefined : fold('device', stated)
    return id !== undefined && device.id.test(id) ? id : undefined
  }
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === ''
}

/**
 * The target to ask, from the parameters of the path and the ids of the place as they were decided.
 * @throws Problem `internal` where the catalog names a parameter that the route has not
 */
export function relationTarget(
  { lookup }: Relation,
  params: Readonly<Record<string, string>>,
  { organization, product }: Resource,
): string {
  const ids = {
    ...params,
    ...(organization !== undefined && { organization }),
    ...(product !== undefined && { product }),
  }
  const known = new Map(Object.entries(ids))
  return lookup.replaceAll(/:([a-z_]+)/g, (_, name: string) => {
    const value = known.get(name)
    if (value === undefined) throw new Problem('internal', { cause: `nothing for :${name}` })
    return encodeURIComponent(value)
  })
}
