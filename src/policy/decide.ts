/** The decision under today's grant and the issued one: all access requests of a request, all or nothing. */

import type { AccessRequest, RequestContext, Resource } from '../domain/access-request.ts'
import type { Charge, Decision, DenyReason, Obligations, RuleRef } from '../domain/decision.ts'
import type { GrantRule } from '../domain/grant.ts'
import { tighter } from './action-traits.ts'
import { idOf } from './ask.ts'
import { joinObligations, WHOLE } from './obligations.ts'
import type { Deciding, Denial, FactsInHand, NeedsFacts } from './policy-engine.ts'
import type { Allow, Deny } from './reading.ts'
import type { CompiledGrant, Verdict } from './verdict.ts'

export type Grants = {
  today: CompiledGrant
  /** Absent where it is today's. */
  issued: CompiledGrant | undefined
}

export function decideUnder(grants: Grants, facts: FactsInHand, context: RequestContext): Deciding {
  const outside = outsideAddresses(grants, context.address)
  return outside === undefined ? deciding(grants, facts, context) : refusing(outside)
}

/** The same for a caller whose address is none of the question. */
export function decideRequests(
  grants: Grants,
  requests: readonly AccessRequest[],
  facts: FactsInHand,
  context: RequestContext,
): Decision | NeedsFacts {
  return decideAtOnce(deciding(grants, facts, context), requests)
}

export function decideAtOnce(
  { take, end }: Deciding,
  requests: readonly AccessRequest[],
): Decision | NeedsFacts {
  return take(requests) ?? end()
}

/** Nothing that could be asked is allowed. */
export function refusing(reason: DenyReason): Deciding {
  return {
    take: ([first]) => refuse(reason, first),
    end: () => refuse(reason, undefined),
  }
}

function deciding({ today, issued }: Grants, facts: FactsInHand, given: RequestContext): Deciding {
  const limited = today.limited || issued?.limited === true
  const context = limited ? withSteadyWaits(given) : given

  const wanted: Resource[] = []
  let first: AccessRequest | undefined
  let maxAgeMs: number | undefined
  const used: Record<string, Record<string, unknown>> = {}
  let obligations: Obligations | undefined
  let rule: GrantRule | undefined
  let late: Decision | undefined
  const allows: Allow[] | undefined = limited ? [] : undefined

  function take(requests: readonly AccessRequest[]): Decision | undefined {
    first ??= requests[0]
    for (const request of requests) {
      const mine = today.judge(request, facts, context)
      const theirs = isSettled(mine) ? mine : issued?.judge(request, facts, context)
      const verdict = join(mine, theirs)
      note(used, request.resource, mine, theirs)
      if (verdict.outcome === 'deny') {
        if (isSettled(verdict)) return toDecision(verdict, request, used)
        late ??= toDecision(verdict, request, used)
        continue
      }
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
      if (mine.outcome === 'allow') allows?.push(mine)
      if (theirs?.outcome === 'allow') allows?.push(theirs)
    }
    return undefined
  }

  function end(): Decision | NeedsFacts {
    if (first === undefined) return refuse('not_granted', undefined)
    if (late !== undefined) return late
    if (wanted.length > 0) return { outcome: 'needs_facts', resources: wanted, maxAgeMs }
    const allowed = {
      outcome: 'allow',
      rule: rule && toRef(rule),
      obligations: obligations ?? WHOLE,
      facts: used,
    } as const
    if (allows === undefined) return allowed
    const rates = [today.rate, issued?.rate].filter((one) => one !== undefined)
    const waitMs = Math.max(0, ...rates.map((rate) => context.wait?.(rate) ?? 0))
    if (waitMs > 0) {
      return toDecision({ ...denied('over_limit'), waitMs }, first, used)
    }
    return { ...allowed, ...counted(allows, rates) }
  }

  return { take, end }
}

/** Equal keys share one count: both grants of an API user mostly have the same rules. */
function counted(allows: readonly Allow[], rates: readonly Charge[]) {
  const charges = new Map<string, Charge>()
  for (const charge of [...allows.flatMap(({ charges: of }) => [...(of ?? [])]), ...rates]) {
    charges.set(charge.key, charge)
  }
  const spent = new Set(allows.flatMap(({ spent: of }) => [...(of ?? [])]))
  return {
    ...(charges.size > 0 && { charges: [...charges.values()] }),
    ...(spent.size > 0 && { spent }),
  }
}

/** Room may come back while a decision is made: within one, each limit answers once. */
function withSteadyWaits(context: RequestContext): RequestContext {
  const { wait } = context
  if (wait === undefined) return context
  const known = new Map<string, number>()
  return {
    ...context,
    wait(charge) {
      const before = known.get(charge.key)
      if (before !== undefined) return before
      const waitMs = wait(charge)
      known.set(charge.key, waitMs)
      return waitMs
    },
  }
}

/** Whether the caller's address is outside, and of which grant: from where is asked before what. */
export function outsideAddresses(
  { today, issued }: Grants,
  address: string,
): 'outside_addresses' | 'not_in_issued_grant' | undefined {
  if (!today.admits(address)) return 'outside_addresses'
  return issued?.admits(address) === false ? 'not_in_issued_grant' : undefined
}

const LATE: ReadonlySet<DenyReason> = new Set(['outside_hours', 'over_limit'])

/** A denial of today's grant needs no second opinion, unless it is for hour or limit, which come last. */
function isSettled(verdict: Verdict | Deny): boolean {
  return verdict.outcome === 'deny' && !LATE.has(verdict.reason)
}

function join(today: Verdict, issued: Verdict | undefined): Verdict {
  if (issued === undefined || issued === today || isSettled(today)) return today
  if (issued.outcome === 'deny' && !LATE.has(issued.reason)) {
    return { ...issued, reason: 'not_in_issued_grant', tell: undefined }
  }
  if (today.outcome === 'deny' && issued.outcome === 'deny') return laterOf(today, issued)
  if (today.outcome !== 'allow') return today
  if (issued.outcome !== 'allow') return issued
  const obligations = joinObligations(today.obligations, issued.obligations)
  return { ...today, obligations }
}

/** Of two late denials: hours before limits, and of two limits the one that lasts longer. */
function laterOf<D extends Deny>(today: D, issued: D): D {
  if (today.reason === 'outside_hours') return today
  if (issued.reason === 'outside_hours') return issued
  return (issued.waitMs ?? 0) > (today.waitMs ?? 0) ? issued : today
}

function toDecision(
  { reason, rule, tell, waitMs }: Deny,
  request: AccessRequest,
  facts: Decision['facts'],
): Decision {
  const failed = { action: request.action, resource: idOf(request.resource) ?? 'none' }
  const denial = { reason, rule: rule && toRef(rule), tell, facts, failed }
  const late = waitMs === undefined ? {} : { retryAfterS: Math.max(1, Math.ceil(waitMs / 1000)) }
  return { outcome: 'deny', ...denial, ...late }
}

function denied(reason: DenyReason): Deny {
  return { outcome: 'deny', reason, rule: undefined, tell: undefined }
}

/** Denied before any rule was looked at. */
export function refuse(reason: DenyReason, request: AccessRequest | undefined): Denial {
  const resource = request && idOf(request.resource)
  const failed = { action: request?.action ?? 'none', resource: resource ?? 'none' }
  return { outcome: 'deny', reason, rule: undefined, tell: undefined, facts: {}, failed }
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
