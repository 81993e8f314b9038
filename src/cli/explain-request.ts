/** Takes one request through the gate's own stages, up to the decision, with nothing behind them. */

import { createRouteTable } from '../catalog/route-table.ts'
import type { OfflineConfig } from '../config/config.ts'
import type { AccessRequest, RequestContext, Resource } from '../domain/access-request.ts'
import type { Decision, RuleRef } from '../domain/decision.ts'
import type { Catalog } from '../domain/catalog.ts'
import type { Clock } from '../domain/clock.ts'
import type { Principal } from '../domain/principal.ts'
import type { ApiUser } from '../domain/grant.ts'
import { Problem } from '../domain/problem.ts'
import type { CanonicalTarget } from '../domain/target.ts'
import { openParts, openStore } from '../open-parts.ts'
import { createPolicyEngine } from '../policy/engine.ts'
import { explain } from '../policy/explain.ts'
import type { PolicyEngine } from '../policy/policy-engine.ts'
import { createDecide } from '../proxy/decide.ts'
import { createDescribe } from '../proxy/describe.ts'
import { createIdResolver } from '../proxy/ids.ts'
import { requirePlainHead } from '../proxy/plain-head.ts'
import { createRelate } from '../proxy/relations.ts'
import { createMatchRoute } from '../proxy/routing.ts'
import { canonicalTarget } from '../proxy/target.ts'
import { parseGrant } from '../store/grant-cache.ts'
import type { Store } from '../store/store.ts'
import { isStoreThere, userNamed } from './accounts.ts'
import { createOfflineDirectory, type StatedFact, unknownAttributes } from './offline-directory.ts'
import { unsentExchange } from './unsent-exchange.ts'

export type Question = {
  user: string
  method: string
  target: string
  headers: readonly (readonly [string, string])[]
  body: Buffer | undefined
  facts: readonly StatedFact[]
  /** Where it is called from; absent: from where this API user may. */
  address: string | undefined
  atMs: number
}

export type Explained = {
  /** `undecided`: denied as far as one can tell, and the facts in `missing` might change it. */
  outcome: 'allow' | 'deny' | 'undecided'
  user: string
  /** A deny reason of the engine, or the code of what is wrong with the request itself. */
  reason: string | undefined
  says: string | undefined
  route: string | undefined
  /** Canonical, with ids in the place of names. */
  target: string | undefined
  requests: readonly ExplainedRequest[]
  rule: RuleRef | undefined
  failed: { action: string; resource: string } | undefined
  /** What the client is told beyond the plain refusal. */
  tell: string | undefined
  /** Keys that the answer would keep; `undefined`: all. */
  answer: readonly string[] | undefined
  hide: readonly string[]
  /** Of a list or a stream: each item is decided by itself, and these keys are the most that any of them shows. */
  items: 'each' | undefined
  facts: Decision['facts']
  /** What would have had to be there, in sentences. */
  missing: readonly string[]
  /** Whose grant counted beside today's. */
  token: string
  /** Until then (ISO 8601) the API user is observed: what is denied here is forwarded, and recorded as `would_deny`. */
  observedUntil: string | undefined
  revision: string
}

/** `does`: what the action is, in a sentence of the catalog. */
export type ExplainedRequest = AccessRequest & { does: string }

/** @throws Mistakes, UsageError, StoreUnusable, StoreUnavailable */
export async function explainRequest(
  config: OfflineConfig,
  question: Question,
  clock: Clock,
): Promise<Explained> {
  const parts = openParts(config)
  const policy = createPolicyEngine({ ...parts, cacheSize: 2 })
  const { user, principal, token } = await whoAsks(config, question.user, policy, clock)
  const directory = createOfflineDirectory(parts.catalog, question.facts)
  const bare: Explained = {
    outcome: 'deny',
    user: user.name,
    reason: undefined,
    says: undefined,
    route: undefined,
    target: undefined,
    requests: [],
    rule: undefined,
    failed: undefined,
    tell: undefined,
    answer: undefined,
    hide: [],
    items: undefined,
    facts: {},
    missing: [],
    token,
    observedUntil: observedUntil(config, user, question.atMs),
    revision: parts.set.revision,
  }
  try {
    const { asked, decision, lacks } = await decideUnsent(
      parts.catalog,
      policy,
      question,
      principal,
      directory,
    )
    const does = (action: string) => parts.catalog.actions.get(action)?.says ?? ''
    const requests = asked.requests.map((each) => ({ ...each, does: does(each.action) }))
    const found = { ...bare, route: asked.route.id, target: asked.target, requests }
    const unknown = [...directory.missing, ...unknownAttributes(decision.facts)]
    return { ...found, ...outcomeOf(decision, unknown, lacks) }
  } catch (thrown) {
    if (!(thrown instanceof Problem)) throw thrown
    return { ...bare, reason: thrown.code, says: saidOf(thrown), missing: [...directory.missing] }
  }
}

/** A client is told what the cloud tells; who asks here, why the catalog keeps the route closed. */
function saidOf({ code, cause, says }: Problem): string {
  return code === 'refused_route' && typeof cause === 'string' ? cause : says
}

/** All are observed, or this one; the longer time counts. */
function observedUntil(config: OfflineConfig, user: ApiUser, atMs: number): string | undefined {
  const untilMs = Math.max(config.observeUntilMs ?? 0, user.observeUntilMs ?? 0)
  return untilMs > atMs ? new Date(untilMs).toISOString() : undefined
}

type Outcome = Omit<
  Explained,
  'user' | 'says' | 'route' | 'target' | 'requests' | 'token' | 'observedUntil' | 'revision'
>

function outcomeOf(
  decision: Decision,
  unknown: readonly string[],
  lacks: readonly string[],
): Outcome {
  const { rule, facts } = decision
  const bare = { rule, facts, failed: undefined, tell: undefined, reason: undefined }
  if (decision.outcome === 'allow') {
    const { answer, hide, items } = decision.obligations
    const shown = { answer: answer && [...answer].toSorted(), hide: [...hide].toSorted(), items }
    return { ...bare, ...shown, outcome: 'allow', missing: [] }
  }
  const { reason, failed, tell } = decision
  const denied = { ...bare, reason, failed, tell, answer: undefined, hide: [], items: undefined }
  return unknown.length > 0
    ? { ...denied, outcome: 'undecided', missing: unknown }
    : { ...denied, outcome: 'deny', missing: lacks }
}

async function decideUnsent(
  catalog: Catalog,
  policy: PolicyEngine,
  question: Question,
  principal: Principal,
  directory: ReturnType<typeof createOfflineDirectory>,
) {
  const { method, target, headers, body, atMs } = question
  const exchange = unsentExchange({ method, target, headers, body, atMs })
  requirePlainHead(exchange.raw)
  const credential = {
    token: undefined,
    target: without(canonicalTarget(target), catalog.credentials.parameter),
    inForm: false,
  }
  const { route, params } = createMatchRoute(createRouteTable(catalog))(method, credential.target)
  const boundaryOf = (asks: Principal) => policy.userOf(asks)?.grant.boundary
  const ids = createIdResolver(catalog.resources, directory, boundaryOf)
  const relate = createRelate({ directory, ids, policy })
  const describe = createDescribe(catalog, ids, relate)
  const asked = await describe(exchange, route, params, credential, principal)
  const facts = (resource: Resource) => directory.cached(resource) ?? {}
  const address = question.address ?? policy.userOf(principal)?.grant.from?.[0]?.split('/')[0]
  const context: RequestContext = { requestId: 'explain', atMs, address: address ?? 'explain' }
  const decision = await createDecide(policy, directory)(principal, asked, context)
  const lacks =
    decision.outcome === 'allow' || asked.unresolved !== undefined
      ? []
      : explain({
          ...{ catalog, set: policy.set, principal, requests: asked.requests, facts, context },
          decided: decision,
        }).missing
  return { asked, decision, lacks }
}

/** A pasted URL may carry a token; it says nothing about what is allowed. */
function without({ segments, query }: CanonicalTarget, parameter: string): CanonicalTarget {
  return { segments, query: query.filter(({ key }) => key !== parameter) }
}

/** Under the grant that the user's token was issued with; where there is no token, under today's alone. */
async function principalOf(
  { user, stored }: Awaited<ReturnType<typeof userNamed>>,
  store: Pick<Store, 'tokens'> | undefined,
): Promise<{ principal: Principal; token: string }> {
  const today: Principal = {
    user: user.name,
    tokenId: 'explain',
    tokenKind: 'minted',
    issued: user.grant,
    issuedHash: user.grantHash,
    expiresAtMs: undefined,
    stored,
  }
  const row = await store?.tokens.live(user.name)
  const found = row && (await store?.tokens.find(row.id))
  if (row === undefined || found?.grantJson === undefined) {
    return { principal: today, token: 'none; as if it were minted now' }
  }
  const { id: tokenId, kind: tokenKind, grantHash: issuedHash } = row
  if (issuedHash === user.grantHash) {
    return { principal: today, token: `${tokenId}, of today's grant` }
  }
  const issued = parseGrant(found.grantJson)
  return {
    principal: { ...today, tokenId, tokenKind, issued, issuedHash },
    token: `${tokenId}, of an older grant: what was added since is held back until it is extended`,
  }
}

/** Looking creates no store where there is none. */
async function whoAsks(config: OfflineConfig, name: string, policy: PolicyEngine, clock: Clock) {
  if (!isStoreThere(config)) {
    const found = await userNamed(name, policy, undefined)
    return { ...found, ...(await principalOf(found, undefined)) }
  }
  await using store = await openStore(config, clock)
  const found = await userNamed(name, policy, store)
  return { ...found, ...(await principalOf(found, store)) }
}
