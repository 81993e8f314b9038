/** The contract of the policy decision point: pure and synchronous on facts in hand. */

import type { AccessRequest, RequestContext, Resource } from '../domain/access-request.ts'
import type { FieldWord } from '../domain/catalog.ts'
import type { Decision, DenyReason, Obligations, RuleRef } from '../domain/decision.ts'
import type { ApiUser, EventSource, Grant, Scalar, StoredDefinition } from '../domain/grant.ts'
import type { Principal } from '../domain/principal.ts'
import type { Mistake } from '../lib/mistake.ts'
import type { PolicySet } from './policy-set.ts'

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

export type Denial = Extract<Decision, { outcome: 'deny' }>

/** One decision on many access requests: what `take` returns is final; else there is more to take, or `end` says it. */
export type Deciding = {
  take(requests: readonly AccessRequest[]): Decision | undefined
  end(): Decision | NeedsFacts
}

/** An API user compiled from a definition of its own, under the roles, guardrails and names of the policy files. */
export type CompiledUser =
  | { ok: true; user: ApiUser; notes: Mistake[] }
  | { ok: false; mistakes: Mistake[] }

/** What an API user could do with one action on one resource at this moment. */
export type Permission = {
  action: string
  /** `depends`: allowed with some values of a request, by a rule with `with`, and denied with others. */
  outcome: 'allow' | 'deny' | 'depends'
  /** That decided. */
  rule: RuleRef | undefined
  reason: DenyReason | undefined
  /** Of an allow: the names it reaches by field word; a word that is absent: any. */
  fields: Readonly<Partial<Record<FieldWord, readonly string[]>>>
  /** Of an allow that is not whole: keys shown and hidden, and whether each item is decided by itself. */
  obligations: Obligations | undefined
}

/** What a policy edit has added since a token was issued: held back until it is rotated or extended. */
export type HeldBack =
  | { what: 'rule'; actions: readonly string[]; rule: RuleRef }
  | { what: 'boundary' | 'devices' | 'rate' | 'from'; issued: string; today: string }

export interface PolicyEngine {
  readonly revision: string
  readonly set: PolicySet
  /** Of the policy files, else compiled from its definition; `undefined`: neither, or the definition does not fit the files any more. */
  user(name: string, stored?: StoredDefinition): ApiUser | undefined
  userOf(principal: Pick<Principal, 'user' | 'stored'>): ApiUser | undefined
  /** Checks and compiles a definition (JSON of a `users` entry), with all its mistakes. The policy files need not lack its name. */
  compile(name: string, definition: string): CompiledUser
  /**
   * Every action of the catalog that speaks of this kind of resource, as `decide` would answer now, under today's grant
   * and (where given) the issued one.
   */
  permissions(
    user: ApiUser,
    issued: Grant | undefined,
    resource: Resource,
    facts: FactsInHand,
    context: RequestContext,
  ): { permissions: Permission[] } | NeedsFacts
  /** Empty: today's grant gives nothing that the issued one does not. */
  heldBack(user: ApiUser, issued: Grant): HeldBack[]
  /**
   * The denial of who calls from an address that one of its grants does not hold, whatever is asked; undefined: it may
   * call from there. `decide` and `items` ask it as well.
   */
  fromElsewhere(principal: Principal, address: string): Denial | undefined
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
  /** The same bit by bit, under the grants of this moment: for requests that name many devices. */
  deciding(principal: Principal, facts: FactsInHand, context: RequestContext): Deciding
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
