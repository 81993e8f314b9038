/** The contract of the policy decision point: pure and synchronous on facts in hand. */

import type { AccessRequest, RequestContext, Resource } from '../domain/access-request.ts'
import type { Decision, Obligations } from '../domain/decision.ts'
import type { ApiUser, EventSource, PolicySet, Scalar } from '../domain/grant.ts'
import type { Principal } from '../domain/principal.ts'

/**
 * Attributes of a resource as the directory knows them; `undefined`: not in hand, or older than `maxAgeMs`.
 * Without `maxAgeMs` the directory's own limit counts.
 */
export type FactsInHand = (
  resource: Resource,
  maxAgeMs: number | undefined,
) => Readonly<Record<string, unknown>> | undefined

/** The decision hangs on attributes of these resources; fetch them, no older than this, and ask again. */
export type NeedsFacts = {
  outcome: 'needs_facts'
  resources: readonly Resource[]
  maxAgeMs: number | undefined
}

export interface PolicyEngine {
  readonly revision: string
  readonly set: PolicySet
  user(name: string): ApiUser | undefined
  /**
   * Decides all access requests of one request, all or nothing: issued grant and today's grant both.
   * With every resource in hand it never answers `needs_facts`. A list or a stream is admitted if a `can` names it
   * and the boundary holds; where not every item surely passes alike, its obligations say `items: 'each'`.
   */
  decide(
    principal: Principal,
    requests: readonly AccessRequest[],
    facts: FactsInHand,
    context: RequestContext,
  ): Decision | NeedsFacts
  /** Decides the items of a list or the events of a stream that was admitted: as that action on that resource. */
  items(principal: Principal, request: AccessRequest, context: RequestContext): ItemJudge
  /** False where no answer can hang on which device this is: all are in reach and no rule on the action has conditions, or nothing grants it. */
  hangsOnDevice(principal: Principal, action: string, place: Resource): boolean
  /** The tightest `max_age` of the rules on these actions, milliseconds: nothing older may help to decide them. */
  maxAgeOf(principal: Principal, actions: readonly string[]): number | undefined
  /** Puts a set in force, at once, for the next request. */
  use(set: PolicySet): void
}

/** One item of a list, or one event of a stream. */
export type Item = {
  resource: Resource
  /** Its resource's attributes; `undefined`: not in hand. */
  facts: Readonly<Record<string, unknown>> | undefined
  /** Only of streams. */
  event?: { name: string; source: EventSource }
}

export type ItemVerdict =
  | { outcome: 'allow'; obligations: Obligations }
  | { outcome: 'deny' }
  /** Only where `facts` was undefined. */
  | { outcome: 'needs_facts' }

export interface ItemJudge {
  /** `atMs`: wall clock, for rules with hours. Fast: called for every item. */
  judge(item: Item, atMs: number): ItemVerdict
  /** Judges of equal keys answer alike as long as the engine's revision stays: what they found may be shared. */
  readonly key: string
  /** Some rule it looks at has hours, so that an answer holds for its moment only. */
  readonly timed: boolean
  /** The tightest `max_age` of the rules it looks at. */
  readonly maxAgeMs: number | undefined
  /** What every item that can pass surely has, where the grant says so: for asking upstream for less. */
  readonly narrow: readonly Narrowing[]
}

/** The attribute (`id` too) is one of these values, or as a list holds one of them. */
export type Narrowing = { attribute: string; values: readonly Scalar[] }
