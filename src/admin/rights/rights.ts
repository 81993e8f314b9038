/** What API users may do, and who may do a thing: asked of the policy engine as a request would be, on facts of now. */

import type { Resource } from '../../domain/access-request.ts'
import type { Catalog } from '../../domain/catalog.ts'
import type { Clock } from '../../domain/clock.ts'
import type { ApiUser, Grant } from '../../domain/grant.ts'
import { Problem } from '../../domain/problem.ts'
import { didYouMean } from '../../lib/nearest.ts'
import type { HeldBack, Permission, PolicyEngine } from '../../policy/policy-engine.ts'
import { parseGrant } from '../../store/grant-cache.ts'
import type { Store } from '../../store/store.ts'
import type { TokenInfo } from '../../store/tokens.ts'
import type { Directory } from '../../upstream/directory.ts'
import type { Actor, ApiUserRecord, ApiUsers } from '../api-users.ts'
import { isVisible, isWithin } from '../users/bounds.ts'
import { oneByOne } from '../users/one-by-one.ts'
import { authorOf } from '../users/changing.ts'
import { placeOf, type Found, type Records } from '../users/records.ts'
import { createPlaces, type Named } from './places.ts'

export type RightsParts = {
  apiUsers: Pick<ApiUsers, 'get'>
  records: Records
  store: { tokens: Pick<Store['tokens'], 'find'>; users: Pick<Store['users'], 'page'> }
  policy: Pick<PolicyEngine, 'permissions' | 'heldBack' | 'set'>
  catalog: Pick<Catalog, 'resources' | 'actions'>
  directory: Pick<Directory, 'product' | 'device' | 'cached' | 'attributes'>
  clock: Pick<Clock, 'now'>
}

export type Holder = { record: ApiUserRecord; permissions: readonly Permission[] }

/** @throws Problem `not_found`, `invalid_request`, `conflict` for a definition that does not hold, and as the directory */
export type Rights = {
  permissions(
    actor: Actor,
    name: string,
    named: Named,
  ): Promise<{ record: ApiUserRecord; resource: Resource; permissions: Permission[] }>
  heldBack(actor: Actor, name: string): Promise<{ record: ApiUserRecord; heldBack: HeldBack[] }>
  /** `total`: API users whose boundary holds the place; each page looks at so many of them and names those who may. */
  access(
    actor: Actor,
    action: string,
    named: Named,
    window: { offset: number; limit: number },
  ): Promise<{ resource: Resource; holders: Holder[]; total: number }>
}

/** Once for attributes, once more where another rule wants them younger. */
const maxAsks = 4

export function createRights(parts: RightsParts): Rights {
  const { apiUsers, records, store, policy, catalog, directory, clock } = parts
  const places = createPlaces(parts)

  async function issuedGrant(token: TokenInfo | undefined): Promise<Grant | undefined> {
    if (token === undefined || token.state === 'revoked') return undefined
    const json = (await store.tokens.find(token.tokenId))?.grantJson
    return json === undefined ? undefined : parseGrant(json)
  }

  async function ask(
    actor: Actor,
    user: ApiUser,
    token: TokenInfo | undefined,
    resource: Resource,
  ): Promise<Permission[]> {
    const issued = await issuedGrant(token)
    const { requestId, address } = actor
    const context = { requestId, atMs: clock.now(), address }
    const seen = new Map<string, Readonly<Record<string, unknown>>>()
    const keyOf = (one: Resource, maxAgeMs: number | undefined) => JSON.stringify([one, maxAgeMs])
    for (let asks = 0; asks < maxAsks; asks++) {
      const answer = policy.permissions(
        user,
        issued,
        resource,
        (one, maxAgeMs) => seen.get(keyOf(one, maxAgeMs)) ?? directory.cached(one, maxAgeMs),
        context,
      )
      if (!('outcome' in answer)) return answer.permissions
      const { resources, maxAgeMs } = answer
      // oxlint-disable-next-line no-await-in-loop -- what is asked next hangs on what is found now
      const found = await Promise.all(
        resources.map((one) => directory.attributes(one, authorOf(actor), maxAgeMs)),
      )
      for (const [index, one] of resources.entries()) {
        seen.set(keyOf(one, maxAgeMs), found[index] ?? {})
      }
    }
    throw new Problem('attribute_unavailable')
  }

  /** Those of the policy files, then those of the store by product, then by organization. */
  async function candidates(
    actor: Actor,
    { product = '', organization }: Resource,
    { offset, limit }: { offset: number; limit: number },
  ): Promise<{ found: Found[]; total: number }> {
    const inFiles = [...policy.set.users.values()]
      .filter((user) => reaches(user, product, organization) && isWithin(actor, placeOf(user)))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    const own = inFiles.slice(offset, offset + limit)
    const ofFiles = await oneByOne(own, ({ name }) => records.find(name))
    const found = ofFiles.flatMap((one) => one ?? [])
    let total = inFiles.length
    const within = actor.operator.product
    const queries =
      within === undefined
        ? [{ product }, ...(organization === undefined ? [] : [{ organization }])]
        : [{ product, within }]
    for (const query of queries) {
      const from = Math.max(0, offset - total)
      // oxlint-disable-next-line no-await-in-loop -- where the next begins hangs on how many these are
      const page = await store.users.page({ ...query, offset: from, limit: limit - found.length })
      // oxlint-disable-next-line no-await-in-loop -- the same
      const some = await oneByOne(page.rows, (row) => records.ofStore(row))
      found.push(...some.filter((one) => isVisible(actor, one)))
      total += page.total
    }
    return { found, total }
  }

  return {
    async permissions(actor, name, named) {
      const record = await apiUsers.get(actor, name)
      const user = requireFit(record)
      const resource = await places.findFor(actor, named, user)
      return { record, resource, permissions: await ask(actor, user, record.token, resource) }
    },

    async heldBack(actor, name) {
      const record = await apiUsers.get(actor, name)
      const user = requireFit(record)
      const issued = await issuedGrant(record.token)
      return { record, heldBack: issued === undefined ? [] : policy.heldBack(user, issued) }
    },

    async access(actor, action, named, window) {
      if (!catalog.actions.has(action)) {
        const near = didYouMean(action, catalog.actions.keys())
        throw new Problem('invalid_request', { says: `The catalog has no such action${near}` })
      }
      const resource = await places.find(actor, named)
      const { found, total } = await candidates(actor, resource, window)
      const holders = await oneByOne(found, async ({ record }): Promise<Holder | undefined> => {
        if (record.user === undefined) return undefined
        const all = await ask(actor, record.user, record.token, resource)
        const permissions = all.filter((one) => one.action === action)
        const may = permissions.some(({ outcome }) => outcome !== 'deny')
        return may ? { record, permissions } : undefined
      })
      return { resource, holders: holders.flatMap((one) => one ?? []), total }
    },
  }
}

function reaches({ grant: { boundary } }: ApiUser, product: string, organization?: string) {
  return boundary.kind === 'organization'
    ? boundary.organization === organization
    : boundary.products.includes(product)
}

function requireFit({ name, user }: ApiUserRecord): ApiUser {
  if (user !== undefined) return user
  throw new Problem('conflict', {
    says: `The definition of ${name} does not hold under the policies in force.`,
  })
}
