/** For people: a decision, and where it is a denial, what each nearest rule lacked. */

import type { AccessRequest, RequestContext } from '../domain/access-request.ts'
import type { Catalog } from '../domain/catalog.ts'
import type { Decision, DenyReason } from '../domain/decision.ts'
import type { Grant, GrantRule } from '../domain/grant.ts'
import type { PolicySet } from './policy-set.ts'
import type { Principal } from '../domain/principal.ts'
import { compileFrom } from './addresses.ts'
import { Ask, combinations } from './ask.ts'
import { catalogFacts } from './catalog-facts.ts'
import { createPolicyEngine } from './engine.ts'
import type { FactsInHand, NeedsFacts } from './policy-engine.ts'
import { canHolds, compileRule, type CompiledRule } from './rule-match.ts'
import { compileGrant } from './verdict.ts'

export type ExplainOptions = {
  catalog: Catalog
  set: PolicySet
  principal: Principal
  requests: readonly AccessRequest[]
  facts: FactsInHand
  context: RequestContext
  /** What was decided, where more than the engine had a say; absent: the engine is asked. */
  decided?: Decision
}

type Denial = Extract<Decision, { outcome: 'deny' }>

export type Explanation = {
  decision: Decision | NeedsFacts
  /** What would be needed, one sentence each; empty for an allow. */
  missing: string[]
}

export function explain(options: ExplainOptions): Explanation {
  const { catalog, set, principal, requests, facts, context } = options
  const engine = createPolicyEngine({ catalog, set, cacheSize: 2 })
  const decision = options.decided ?? engine.decide(principal, requests, facts, context)
  if (decision.outcome === 'allow') return { decision, missing: [] }
  if (decision.outcome === 'needs_facts') {
    const ids = decision.resources.map(({ device, product }) => device ?? product ?? 'it')
    return { decision, missing: [`the attributes of ${ids.join(', ')}, to decide at all`] }
  }
  if (decision.reason === 'hidden_key') {
    return { decision, missing: ['a right to see the key that it filters or sorts by'] }
  }
  if (decision.reason === 'cannot_filter') {
    return { decision, missing: ['a right to the whole answer: it has no keys to cut it by'] }
  }
  const user = engine.userOf(principal)
  if (user === undefined) {
    const where = principal.stored === undefined ? 'in the files' : 'that fits the policy files'
    return { decision, missing: [`an API user "${principal.user}" ${where}`] }
  }
  const grant = decision.reason === 'not_in_issued_grant' ? principal.issued : user.grant
  if (decision.reason === 'over_limit') return { decision, missing: [roomLacking(decision)] }
  const byAddress = ['outside_addresses', 'not_in_issued_grant'].includes(decision.reason)
  if (byAddress && isOutside(grant, context)) {
    return { decision, missing: [addressLacking(grant, decision.reason)] }
  }
  const parts = { catalog, facts: catalogFacts(catalog), zones: new Map() }
  const judged = compileGrant(grant, parts)
  const failed = requests.filter((one) => judged.judge(one, facts, context).outcome !== 'allow')
  const missing = failed.flatMap((one) => whatLacks(one, decision, grant, options))
  return { decision, missing: [...new Set(missing)] }
}

function roomLacking({ rule, retryAfterS }: Denial): string {
  const what = rule === undefined ? 'the rate of the API user' : `the limit of ${at(rule)}`
  const when = retryAfterS === undefined ? '' : `, in ${retryAfterS} s`
  return `another moment${when}: ${what} is used up`
}

function isOutside({ from }: Grant, { address }: RequestContext): boolean {
  return from !== undefined && !compileFrom(from)(address)
}

function addressLacking({ from = [] }: Grant, reason: DenyReason): string {
  const one = `an address from which it may call: ${from.join(', ')}`
  return reason === 'outside_addresses' ? one : `${one} (as its token was issued)`
}

function devicesLacking({ relation, resource }: AccessRequest, { user }: Grant): string {
  const all = `all devices of the ${resource.type} in reach of ${user}`
  if (relation === 'none') return `${all}: this belongs to none of them`
  if (relation === 'all') return `${all}: this names none, which means every one`
  return `the device ${resource.device ?? ''} among the devices of ${user}`
}

function whatLacks(
  request: AccessRequest,
  { reason, rule }: Denial,
  grant: Grant,
  options: ExplainOptions,
): string[] {
  switch (reason) {
    case 'outside_boundary':
      return [`a boundary that holds the resource; it is ${boundaryText(grant)}`]
    case 'outside_devices':
      return [devicesLacking(request, grant)]
    case 'forbidden':
      return [
        rule === undefined
          ? 'no cannot that matches'
          : `that ${at(rule)} does not match: ${rule.text}`,
      ]
    case 'outside_hours':
      return [`another hour: ${rule === undefined ? 'the rule' : at(rule)} holds only in its hours`]
    case 'not_in_issued_grant':
      return [
        'a token issued since the policy gave this: rotate the token, or extend it',
        ...nearestRules(request, grant, options),
      ]
    case 'not_granted':
      return nearestRules(request, grant, options)
    case 'unmapped_route':
    case 'over_limit':
    case 'outside_addresses':
    case 'hidden_key':
    case 'cannot_filter':
      return []
  }
}

/** One sentence for each `can` that names the action: the first check that failed. */
function nearestRules(request: AccessRequest, grant: Grant, options: ExplainOptions): string[] {
  const { catalog, facts, context } = options
  const action = catalog.actions.get(request.action)
  if (action === undefined) return [`an action "${request.action}" in the catalog`]
  const naming = grant.rules.filter(
    ({ effect, actions }) => effect === 'can' && actions.includes(action.name),
  )
  if (naming.length === 0) return [`a rule that names the action: can: ${action.name}`]
  const ask = new Ask({ request, action, known: catalogFacts(catalog), context, facts })
  // A list lacks a rule only where it names no item that could be.
  ask.reading = ask.itemwise ? 'open' : 'strict'
  return naming.flatMap((rule, position) => {
    const compiled = compileRule(rule, position, grant.user)
    return combinations(request, action).flatMap((names) => {
      ask.names = names
      const lack = firstLack(compiled, ask)
      return lack === undefined ? [] : [`${at(rule.origin)} ${rule.origin.text}: ${lack}`]
    })
  })
}

function firstLack(compiled: CompiledRule, ask: Ask): string | undefined {
  const { rule, words, condition, unless } = compiled
  for (const { word, covers, meets } of words) {
    const name = ask.names[word]
    if (ask.isOpenName(word) && (name === undefined || meets(name))) continue
    const listed = rule.fields?.[word]?.join(', ') ?? ''
    if (name === undefined) return `names only ${word} ${listed}, and the request shows none`
    if (!covers(name)) return `names ${word} ${listed}, not ${name}`
  }
  if (condition && canHolds({ ...compiled, condition: undefined }, ask, new Map())) {
    return 'its where or with is not true'
  }
  if (unless && canHolds({ ...compiled, unless: undefined }, ask, new Map())) {
    return 'its unless takes it away'
  }
  return canHolds(compiled, ask, new Map()) ? undefined : 'its conditions or hours do not hold'
}

function at({ file, line }: Pick<GrantRule['origin'], 'file' | 'line'>): string {
  return `${file}:${line}`
}

function boundaryText({ boundary }: Grant): string {
  return boundary.kind === 'organization'
    ? `organization ${boundary.organization}`
    : boundary.products.join(', ')
}
