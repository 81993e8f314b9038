/** The policy decision point: today's grant and the issued grant, all access requests of a request, all or nothing. */

import { LRUCache } from 'lru-cache'
import type { AccessRequest, Resource } from '../domain/access-request.ts'
import type { Catalog } from '../domain/catalog.ts'
import type { Decision, Obligations, RuleRef, UsedFacts } from '../domain/decision.ts'
import type { Grant, GrantRule, PolicySet } from '../domain/grant.ts'
import type { Principal } from '../domain/principal.ts'
import { idOf } from './ask.ts'
import { catalogFacts } from './catalog-facts.ts'
import { tighter } from './action-traits.ts'
import { reachesAll } from './device-limit.ts'
import { createItemJudge, NOBODY } from './item-judge.ts'
import { joinObligations, WHOLE } from './obligations.ts'
import type { PolicyEngine } from './policy-engine.ts'
import { compileGrant, type CompiledGrant, type Deny, type Verdict } from './verdict.ts'

type NamedGrant = { hash: string; compiled: CompiledGrant }

export type EngineOptions = {
  catalog: Catalog
  set: PolicySet
  /** How many compiled grants are kept. */
  cacheSize: number
}

export function createPolicyEngine({ catalog, set, cacheSize }: EngineOptions): PolicyEngine {
  const parts = { catalog, facts: catalogFacts(catalog), zones: new Map() }
  const compiled = new LRUCache<string, CompiledGrant>({ max: cacheSize })
  let inForce = set

  function compiledOf(hash: string, grant: Grant): CompiledGrant {
    const cached = compiled.get(hash)
    if (cached !== undefined) return cached
    const fresh = compileGrant(grant, parts)
    compiled.set(hash, fresh)
    return fresh
  }

  /** The grants that count for this API user: today's, and where it differs the one its token was issued under. */
  function grantsOf(principal: Principal): { today: NamedGrant; issued?: NamedGrant } | undefined {
    const user = inForce.users.get(principal.user)
    if (user === undefined) return undefined
    const today = { hash: user.grantHash, compiled: compiledOf(user.grantHash, user.grant) }
    const hash = principal.issuedHash
    if (hash === user.grantHash) return { today }
    return { today, issued: { hash, compiled: compiledOf(hash, principal.issued) } }
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
    user: (name) => inForce.users.get(name),
    use(next) {
      inForce = next
      // A grant keeps its hash when its rules move to other lines: what was compiled names the old ones.
      compiled.clear()
    },
    decide(principal, requests, facts, context) {
      const grants = grantsOf(principal)
      const [first] = requests
      if (grants === undefined || first === undefined) return nothingGranted(first)
      const today = grants.today.compiled
      const issued = grants.issued?.compiled

      const wanted: Resource[] = []
      let maxAgeMs: number | undefined
      const used: Record<string, Record<string, unknown>> = {}
      let obligations: Obligations | undefined
      let rule: GrantRule | undefined
      for (const request of requests) {
        const mine = today.judge(request, facts, context)
        const theirs = isSettled(mine) ? mine : issued?.judge(request, facts, context)
        const verdict = join(mine, theirs)
        note(used, request.resource, mine, theirs)
        if (verdict.outcome === 'deny') return toDecision(verdict, request, used)
        if (verdict.outcome === 'needs_facts') {
          wanted.push(request.resource)
          for (const grant of [today, issued]) {
            maxAgeMs = tighter(maxAgeMs, grant?.traits(request.action).maxAgeMs)
          }
          continue
        }
        rule ??= verdict.rule
        obligations =
          obligations === undefined
            ? verdict.obligations
            : joinObligations(obligations, verdict.obligations)
      }
      if (wanted.length > 0) return { outcome: 'needs_facts', resources: wanted, maxAgeMs }
      return {
        outcome: 'allow',
        rule: rule && toRef(rule),
        obligations: obligations ?? WHOLE,
        facts: used,
      }
    },
    items(principal, request, context) {
      const grants = grantsOf(principal)
      if (grants === undefined) return NOBODY
      const { today, issued } = grants
      return createItemJudge({ parts, today, issued, request, context })
    },
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

/** A denial of today's grant needs no second opinion, unless it is for the hour, which comes last. */
function isSettled(verdict: Verdict): boolean {
  return verdict.outcome === 'deny' && verdict.reason !== 'outside_hours'
}

function join(today: Verdict, issued: Verdict | undefined): Verdict {
  if (issued === undefined || issued === today || isSettled(today)) return today
  if (issued.outcome === 'deny' && issued.reason !== 'outside_hours') {
    return { ...issued, reason: 'not_in_issued_grant', tell: undefined }
  }
  if (today.outcome !== 'allow') return today
  if (issued.outcome !== 'allow') return issued
  const obligations = joinObligations(today.obligations, issued.obligations)
  return { ...today, obligations }
}

function toDecision(
  { reason, rule, tell }: Deny,
  request: AccessRequest,
  facts: UsedFacts,
): Decision {
  const failed = { action: request.action, resource: idOf(request.resource) ?? 'none' }
  return { outcome: 'deny', reason, rule: rule && toRef(rule), tell, facts, failed }
}

function nothingGranted(request: AccessRequest | undefined): Decision {
  const failed = {
    action: request?.action ?? 'none',
    resource: (request && idOf(request.resource)) ?? 'none',
  }
  return {
    outcome: 'deny',
    reason: 'not_granted',
    rule: undefined,
    tell: undefined,
    facts: {},
    failed,
  }
}

export function toRef({ origin, id, because }: GrantRule): RuleRef {
  return {
    file: origin.file,
    line: origin.line,
    text: origin.text,
    ...(id === undefined ? {} : { id }),
    ...(because === undefined ? {} : { because }),
  }
}

function note(
  used: Record<string, Record<string, unknown>>,
  resource: Resource,
  ...verdicts: readonly (Verdict | undefined)[]
): void {
  for (const verdict of verdicts) {
    if (verdict?.used === undefined) continue
    const id = idOf(resource) ?? 'none'
    used[id] = { ...used[id], ...verdict.used }
  }
}
