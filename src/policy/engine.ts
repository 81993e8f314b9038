/** The policy decision point: today's grant and the issued grant, all access requests of a request, all or nothing. */

import { LRUCache } from 'lru-cache'
import type { RequestContext } from '../domain/access-request.ts'
import type { Catalog } from '../domain/catalog.ts'
import type { ApiUser, Grant, StoredDefinition } from '../domain/grant.ts'
import type { PolicySet } from './policy-set.ts'
import type { Principal } from '../domain/principal.ts'
import { atMost } from '../lib/at-most.ts'
import { catalogFacts } from './catalog-facts.ts'
import { tighter } from './action-traits.ts'
import { decideAtOnce, decideUnder, outsideAddresses, refuse, refusing } from './decide.ts'
import { reachesAll } from './device-limit.ts'
import { hashGrant } from './grant-hash.ts'
import { heldBack } from './held-back.ts'
import { createItemJudge, NOBODY } from './item-judge.ts'
import type { Deciding, FactsInHand, PolicyEngine } from './policy-engine.ts'
import { permissionsUnder } from './permissions.ts'
import { compileUser, keepStoredUsers } from './stored-users.ts'
import { compileGrant, type CompiledGrant } from './verdict.ts'

type NamedGrant = { hash: string; compiled: CompiledGrant }

export type EngineOptions = {
  catalog: Catalog
  set: PolicySet
  /** How many compiled grants are kept. */
  cacheSize: number
}

export function createPolicyEngine({ catalog, set, cacheSize }: EngineOptions): PolicyEngine {
  const parts = { catalog, facts: catalogFacts(catalog), zones: new Map() }
  const compiled = new LRUCache<string, CompiledGrant>(atMost(cacheSize))
  let inForce = set
  const compileStored = (name: string, definition: string) =>
    compileUser(name, definition, { catalog, facts: parts.facts, frame: inForce.frame })
  const storedUsers = keepStoredUsers(compileStored, cacheSize)

  function userNamed(name: string, stored: StoredDefinition | undefined): ApiUser | undefined {
    const user = inForce.users.get(name)
    return user !== undefined || stored === undefined ? user : storedUsers.get(name, stored)
  }

  function compiledOf(hash: string, grant: Grant): CompiledGrant {
    const cached = compiled.get(hash)
    if (cached !== undefined) return cached
    const fresh = compileGrant(grant, parts)
    compiled.set(hash, fresh)
    return fresh
  }

  /** The grants that count for this API user: today's, and where it differs the one its token was issued under. */
  function grantsOf(principal: Principal): { today: NamedGrant; issued?: NamedGrant } | undefined {
    const user = userNamed(principal.user, principal.stored)
    if (user === undefined) return undefined
    const today = { hash: user.grantHash, compiled: compiledOf(user.grantHash, user.grant) }
    const hash = principal.issuedHash
    if (hash === user.grantHash) return { today }
    return { today, issued: { hash, compiled: compiledOf(hash, principal.issued) } }
  }

  function deciding(principal: Principal, facts: FactsInHand, context: RequestContext): Deciding {
    const { today, issued } = grantsOf(principal) ?? {}
    if (today === undefined) return refusing('not_granted')
    return decideUnder({ today: today.compiled, issued: issued?.compiled }, facts, context)
  }

  function compiledFor(principal: Principal): CompiledGrant[] {
    const { today, issued } = grantsOf(principal) ?? {}
    return [today, issued].flatMap((one) => one?.compiled ?? [])
  }

  return {
    get revision() {
      return inForce.revision
    },
    get set() {
      return inForce
    },
    user: userNamed,
    userOf: ({ user, stored }) => userNamed(user, stored),
    compile: compileStored,
    use(next) {
      inForce = next
      // A grant keeps its hash when its rules move to other lines: what was compiled names the old ones.
      compiled.clear()
      storedUsers.clear()
    },
    fromElsewhere(principal, address) {
      const { today, issued } = grantsOf(principal) ?? {}
      if (today === undefined) return refuse('not_granted', undefined)
      const grants = { today: today.compiled, issued: issued?.compiled }
      const outside = outsideAddresses(grants, address)
      return outside && refuse(outside, undefined)
    },
    decide: (principal, requests, facts, context) =>
      decideAtOnce(deciding(principal, facts, context), requests),
    deciding,
    items(principal, request, context) {
      const grants = grantsOf(principal)
      if (grants === undefined) return NOBODY
      const { today, issued } = grants
      const compiledGrants = { today: today.compiled, issued: issued?.compiled }
      if (outsideAddresses(compiledGrants, context.address) !== undefined) return NOBODY
      const judge = createItemJudge({ parts, today, issued, request, context })
      if (context.spent === undefined) return judge
      return { ...judge, key: JSON.stringify([judge.key, [...context.spent].toSorted()]) }
    },
    permissions(user, issued, resource, facts, context) {
      const issuedHash = issued && hashGrant(issued)
      const grants = {
        today: compiledOf(user.grantHash, user.grant),
        issued:
          issued === undefined || issuedHash === undefined || issuedHash === user.grantHash
            ? undefined
            : compiledOf(issuedHash, issued),
      }
      return permissionsUnder(grants, { catalog, known: parts.facts, resource, facts, context })
    },
    heldBack: (user, issued) => heldBack(user, issued, catalog),
    hangsOnDevice(principal, action, place) {
      const grants = compiledFor(principal)
      // Who may not do it at all is told so without asking the cloud.
      if (grants.some(({ ability }) => ability.cansOf(action).length === 0)) return false
      return grants.some(
        ({ grant, traits }) => !reachesAll(grant, place) || traits(action).readsAttributes,
      )
    },
    maxAgeOf(principal, actions) {
      const ages = compiledFor(principal).flatMap(({ traits }) =>
        actions.map((action) => traits(action).maxAgeMs),
      )
      return ages.reduce(tighter, undefined)
    },
  }
}
