/** Requests described and decided by the real parts, over a fleet in memory: no sockets, no cloud. */

import { createRouteTable } from '../../src/catalog/route-table.ts'
import type { AccessRequest, Resource } from '../../src/domain/access-request.ts'
import type { Catalog } from '../../src/domain/catalog.ts'
import type { Principal } from '../../src/domain/principal.ts'
import { Problem } from '../../src/domain/problem.ts'
import { createPolicyEngine } from '../../src/policy/engine.ts'
import { findCredential } from '../../src/proxy/credentials.ts'
import { chargeDeadEnds } from '../../src/proxy/dead-ends.ts'
import { createDecide } from '../../src/proxy/decide.ts'
import { createDescribe, type Asked } from '../../src/proxy/describe.ts'
import { createIdResolver } from '../../src/proxy/ids.ts'
import { createRelate } from '../../src/proxy/relations.ts'
import { createMatchRoute } from '../../src/proxy/routing.ts'
import { canonicalTarget } from '../../src/proxy/target.ts'
import type { Directory } from '../../src/upstream/directory.ts'
import { particleCatalog } from './catalog.ts'
import { FakeExchange, fakeDirectory } from './fakes.ts'
import { mustLoad, NOON, principalOf } from './policies.ts'

export type Decided = {
  /** `allow`, the reason of the denial, or the code of what is wrong with the request. */
  outcome: string
  requests: readonly AccessRequest[]
  asked: Asked | undefined
  /** What the client would be told; empty where it is served. */
  told: string
}

export type Decider = {
  decide(line: string, headers?: Record<string, string>, body?: string): Promise<Decided>
  directory: ReturnType<typeof fakeDirectory>
}

/** The API user `u` of these policies asks. */
export function deciderOf(
  policies: string,
  facts: Partial<Directory>,
  catalog: Catalog = particleCatalog(),
): Decider {
  const { set } = mustLoad(policies, catalog)
  const policy = createPolicyEngine({ catalog, set, cacheSize: 10 })
  const directory = fakeDirectory(facts)
  const boundaryOf = (who: Principal) => policy.userOf(who)?.grant.boundary
  const ids = createIdResolver(catalog.resources, directory, boundaryOf)
  const describe = createDescribe(catalog, ids, createRelate({ directory, ids, policy }))
  const decide = chargeDeadEnds(createDecide(policy, directory), directory)
  const match = createMatchRoute(createRouteTable(catalog))
  const principal = principalOf('u', policy.user('u'))
  const context = { requestId: 'r', atMs: NOON, address: '127.0.0.1' }
  return {
    directory,
    async decide(line, headers = {}, body = '') {
      const exchange = new FakeExchange(line, { authorization: 'Bearer U', ...headers }, body)
      let asked: Asked | undefined
      try {
        const target = canonicalTarget(exchange.raw.target)
        const credential = await findCredential(exchange, target, catalog.credentials)
        if (credential.flaw !== undefined) throw credential.flaw
        const { route, params } = match(exchange.raw.method, credential.target)
        asked = await describe(exchange, route, params, credential, principal)
        const decision = await decide(principal, asked, context)
        return {
          outcome: decision.outcome === 'deny' ? decision.reason : 'allow',
          requests: asked.requests,
          asked,
          told: decision.outcome === 'deny' ? (decision.tell ?? 'forbidden') : '',
        }
      } catch (error) {
        if (!(error instanceof Problem) || error.code === 'internal') throw error
        return { outcome: error.code, requests: asked?.requests ?? [], asked, told: error.says }
      }
    },
  }
}

/** Attributes by device id, all in one product; each look-up that had to be made is written down. */
export function fleetFacts(
  fleet: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
): Partial<Directory> & { lookedUp: string[] } {
  const lookedUp: string[] = []
  const attributesOf = ({ device = '' }: Resource) => fleet[device] ?? {}
  return {
    lookedUp,
    cached: () => undefined,
    async attributes(resource) {
      lookedUp.push(resource.device ?? '')
      return attributesOf(resource)
    },
  }
}
