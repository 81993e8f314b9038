/** The life of an observed request: routed, described, decided and recorded as ever, and sent on whatever that came to. */

import type { DecisionFields, OutcomeFields } from '../audit/audit-log.ts'
import type { AccessRequest, Resource } from '../domain/access-request.ts'
import type { Catalog, Route } from '../domain/catalog.ts'
import { Problem } from '../domain/problem.ts'
import { methods } from '../domain/words.ts'
import type { PolicyEngine } from '../policy/policy-engine.ts'
import type { Tokens } from '../store/tokens.ts'
import type { UpstreamCredentials } from '../upstream/credentials.ts'
import type { Quota } from '../upstream/quota.ts'
import { asItCame, loggedPath } from './as-it-came.ts'
import { knownByNow, type Observee, type Stranger } from './caller.ts'
import type { Credential } from './credentials.ts'
import type { Decide } from './decide.ts'
import type { Asked, Describe } from './describe.ts'
import { writes } from './enforce.ts'
import type { Exchange } from './exchange.ts'
import { forgetter, forgetting, type Memory } from './forgetting.ts'
import { compileForwardList } from './headers.ts'
import type { Passages } from './passages.ts'
import type { RequestRecord } from './record.ts'
import { noted } from './counted.ts'
import type { MatchRoute } from './routing.ts'
import { selfAnswer, type SelfParts } from './self.ts'
import { sketchOf } from './sketch.ts'
import type { StrangerBudget } from './stranger-budget.ts'
import { wouldCut } from './would-cut.ts'

export type Observe = (
  exchange: Exchange,
  credential: Credential,
  caller: Observee | Stranger,
  record: RequestRecord,
) => Promise<OutcomeFields>

export type ObserveParts = SelfParts &
  Memory & {
    catalog: Catalog
    tokens: Pick<Tokens, 'authenticate' | 'confirm' | 'revoke'>
    policy: Pick<PolicyEngine, 'fromElsewhere'>
    matchRoute: MatchRoute
    describe: Describe
    /** Costs the cloud next to nothing, for anybody may ask. */
    describeStranger: Describe<Stranger>
    decide: Decide
    credentials: UpstreamCredentials
    passages: Passages
    strangerBudget: StrangerBudget
    /** Told of a fault of our own, which does not hold the request up. */
    onFault: (problem: Problem, requestId: string) => void
    quota: Pick<Quota, 'take' | 'note' | 'refused'>
  }

/** What is known of a request, as far as it could be described. */
type Seen = {
  route: Route | undefined
  resource: Resource
  target: string
  requests: readonly AccessRequest[]
  result: DecisionFields['result']
  would?: 'filter'
  problem?: Problem
  /** As the route has it upstream. */
  upstreamTarget?: string
}

/** All of them count as one: whoever makes up tokens is not many. */
const STRANGERS = 'unknown callers'
/** What they may take of the clients' quota: the rest is for those whom the gate knows. */
const STRANGERS_PART = 0.8
const nowhere: Resource = { type: 'none' }

export function createObserve(parts: ObserveParts): Observe {
  const { catalog, tokens, matchRoute, credentials } = parts
  const forwarded = compileForwardList(catalog.forwardHeaders)

  return async (exchange, credential, caller, record) => {
    if (caller.kind === 'stranger') parts.strangerBudget.take(record.context.address)
    const seen = await look(exchange, credential, caller, record)
    const { would } = seen
    const observed = { ...caller.observed, ...(would !== undefined && { would }) }
    const isMinted = caller.kind === 'observed' && caller.principal.tokenKind === 'minted'
    if (isMinted && isOfAccount(exchange, credential)) {
      return answerItself(exchange, caller, seen, () => record.observe(seen, observed))
    }
    const authorization = isMinted
      ? { of: 'gate' as const, credential: credentials.for(seen.resource) }
      : { of: 'client' as const }
    const { parameter } = catalog.credentials
    const request = await asItCame(exchange, credential, { authorization, forwarded, parameter })
    // A refusal is no decision: it belongs to the rejects, which are summarised.
    if (caller.kind === 'stranger') parts.quota.take(STRANGERS, STRANGERS_PART)
    await record.observe(seen, observed)
    const pass = () => exchange.pass(request, (end) => parts.passages.hold(caller, end))
    const target = seen.upstreamTarget ?? request.target
    if (caller.kind === 'stranger') {
      // Adopted and revoked while it was described and recorded.
      await knownByNow(tokens, caller)
      return passStranger(exchange, seen, target, pass)
    }
    await tokens.confirm(caller.principal)
    const send = () => noted(parts.quota, caller.principal.user, pass)
    return writes(exchange) ? forgetting(parts, seen.requests, target, send) : send()
  }

  /** A 429 of the cloud is between the two: it would stop all others, whom anybody could stop. */
  async function passStranger(
    exchange: Exchange,
    { requests }: Seen,
    target: string,
    pass: () => Promise<OutcomeFields>,
  ): Promise<OutcomeFields> {
    const outcome = await pass()
    // What the cloud refused makes nothing forgotten: anybody may ask, and each look-up costs.
    if (writes(exchange) && outcome.status < 400) forgetter(parts, requests, target)()
    return outcome
  }

  /** Whatever is wrong with it is written down, and no reason to keep it. */
  async function look(
    exchange: Exchange,
    credential: Credential,
    caller: Observee | Stranger,
    record: RequestRecord,
  ): Promise<Seen> {
    const bare = {
      resource: nowhere,
      target: loggedPath(credential.target, credential.token),
      requests: [],
    }
    let seen: Omit<Seen, 'result'> = { ...bare, route: undefined }
    try {
      const { route, params } = matchRoute(exchange.raw.method, credential.target)
      record.note(route)
      seen = { ...seen, route, ...sketchOf(catalog.resources, route, params, credential.target) }
      if (caller.kind === 'stranger') {
        const asked = await parts.describeStranger(exchange, route, params, credential, caller)
        return { ...seen, ...found(asked), result: { outcome: 'deny', reason: caller.refusal } }
      }
      if (caller.flaw !== undefined) throw caller.flaw
      const { principal } = caller
      const asked = await parts.describe(exchange, route, params, credential, principal)
      seen = { ...seen, ...found(asked) }
      const elsewhere = parts.policy.fromElsewhere(principal, record.context.address)
      const result = elsewhere ?? (await parts.decide(principal, asked, record.context))
      return { ...seen, result, ...(wouldCut(asked, result) && { would: 'filter' as const }) }
    } catch (thrown) {
      const problem = Problem.from(thrown)
      if (problem.code === 'internal') parts.onFault(problem, exchange.envelope.requestId)
      const reason = caller.kind === 'stranger' ? caller.refusal : problem.code
      return { ...seen, result: { outcome: 'deny', reason }, problem }
    }
  }

  /** About the account that a token is of: with the gate's own credential it would be about the gate's. */
  function isOfAccount({ raw }: Exchange, { target }: Credential): boolean {
    // In any letter case: the cloud may not mind it.
    const segments = target.segments.map((segment) => segment.toLowerCase())
    const kindFor = (method: string) => {
      try {
        return matchRoute(method, { ...target, segments }).route.kind.kind
      } catch (thrown) {
        return Problem.from(thrown).code
      }
    }
    const kind = kindFor(raw.method)
    // The cloud may know a method of it that the catalog does not.
    const kinds = kind === 'method_not_allowed' ? methods.map(kindFor) : [kind]
    return kinds.some((one) => one === 'self' || one === 'refused_route')
  }

  /** @throws Problem where it is nothing that the gate answers */
  async function answerItself(
    exchange: Exchange,
    caller: Observee | Stranger,
    { route, problem }: Seen,
    commit: () => Promise<void>,
  ): Promise<OutcomeFields> {
    if (problem !== undefined) throw problem
    if (caller.kind === 'stranger' || route?.kind.kind !== 'self')
      throw new Problem('refused_route')
    await commit()
    await tokens.confirm(caller.principal)
    return selfAnswer(exchange, caller.principal, route.kind.answer, parts)
  }
}

function found({ target, requests, resource, upstream }: Asked) {
  return { target, requests, resource, upstreamTarget: upstream.target }
}
