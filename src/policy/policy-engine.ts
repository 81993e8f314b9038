/** The contract of the policy decision point: pure and synchronous on facts in hand. */

import type { AccessRequest, RequestContext, Resource } from '../domain/access-request.ts'
import type { Decision } from '../domain/decision.ts'
import type { ApiUser, PolicySet } from '../domain/grant.ts'
import type { Principal } from '../domain/principal.ts'

/** Attributes of a resource as the directory knows them; `undefined`: not in hand. */
export type FactsInHand = (resource: Resource) => Readonly<Record<string, unknown>> | undefined

/** The decision hangs on attributes of these resources; fetch them and ask again. */
export type NeedsFacts = { outcome: 'needs_facts'; resources: readonly Resource[] }

export interface PolicyEngine {
  readonly revision: string
  readonly set: PolicySet
  user(name: string): ApiUser | undefined
  /**
   * Decides all access requests of one request, all or nothing: issued grant and today's grant both.
   * With every resource in hand it never answers `needs_facts`.
   */
  decide(
    principal: Principal,
    requests: readonly AccessRequest[],
    facts: FactsInHand,
    context: RequestContext,
  ): Decision | NeedsFacts
  /** Puts a set in force, at once, for the next request. */
  use(set: PolicySet): void
}
