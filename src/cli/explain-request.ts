/** Takes one request through the gate's own stages, up to the decision, with nothing behind them. */

import { existsSync } from 'node:fs'
import { createRouteTable } from '../catalog/route-table.ts'
import type { OfflineConfig } from '../config/config.ts'
import type { AccessRequest, RequestContext, Resource } from '../domain/access-request.ts'
import type { Decision, RuleRef } from '../domain/decision.ts'
import type { ApiUser, Grant } from '../domain/grant.ts'
import type { Principal } from '../domain/principal.ts'
import { Problem } from '../domain/problem.ts'
import type { CanonicalTarget } from '../domain/target.ts'
import { openParts, type Parts } from '../open-parts.ts'
import { createPolicyEngine } from '../policy/engine.ts'
import { explain } from '../policy/explain.ts'
import { createDecide } from '../proxy/decide.ts'
import { createDescribe } from '../proxy/describe.ts'
import { createIdResolver } from '../proxy/ids.ts'
import { requirePlainHead } from '../proxy/plain-head.ts'
import { createRelate } from '../proxy/relations.ts'
import { createMatchRoute } from '../proxy/routing.ts'
import { canonicalTarget } from '../proxy/target.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import { userNamed } from './config-file.ts'
import { createOfflineDirectory, type StatedFact, unknownAttributes } from './offline-directory.ts'
import { unsentExchange } from './unsent-exchange.ts'

export type Question = {
  user: string
  method: string
  target: string
  headers: readonly (readonly [string, string])[]
  body: Buffer | undefined
  facts: readonly StatedFact[]
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
  requests: readonly AccessRequest[]
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
  revision: string
}

/** @throws Mistakes, UsageError */
export async function explainRequest(
  config: OfflineConfig,
  question: Question,
): Promise<Explained> {
  const parts = openParts(config)
  const user = userNamed(question.user, parts.set)
  const { principal, token } = principalOf(user, config.store)
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
    revision: parts.set.revision,
  }
  try {
    const { asked, decision, lacks } = await decideUnsent(parts, question, principal, directory)
    const found = { ...bare, route: asked.route.id, target: asked.target, requests: asked.requests }
    const unknown = [...directory.missing, ...unknownAttributes(decision.facts)]
    return { ...found, ...outcomeOf(decision, unknown, lacks) }
  } catch (thrown) {
    if (!(thrown instanceof Problem)) throw thrown
    return { ...bare, reason: thrown.code, says: thrown.says, missing: [...directory.missing] }
  }
}

type Outcome = Omit<
  Explained,
  'user' | 'says' | 'route' | 'target' | 'requests' | 'token' | 'revision'
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
  { catalog, set }: Parts,
  { method, target, headers, body, atMs }: Question,
  principal: Principal,
  directory: ReturnType<typeof createOfflineDirectory>,
) {
  const policy = createPolicyEngine({ catalog, set, cacheSize: 2 })
  const exchange = unsentExchange({ method, target, headers, body, atMs })
  requirePlainHead(exchange.raw)
  const credential = {
    token: undefined,
    target: without(canonicalTarget(target), catalog.credentials.parameter),
    inForm: false,
  }
  const { route, params } = createMatchRoute(createRouteTable(catalog))(method, credential.target)
  const boundaryOf = (name: string) => policy.user(name)?.grant.boundary
  const ids = createIdResolver(catalog.resources, directory, boundaryOf)
  const relate = createRelate({ directory, ids, policy })
  const describe = createDescribe(catalog, ids, relate)
  const asked = await describe(exchange, route, params, credential, principal)
  const facts = (resource: Resource) => directory.cached(resource) ?? {}
  const context: RequestContext = { requestId: 'explain', atMs, address: 'explain' }
  const decision = await createDecide(policy, directory)(principal, asked, context)
  const lacks =
    decision.outcome === 'allow' || asked.unresolved !== undefined
      ? []
      : explain({
          ...{ catalog, set, principal, requests: asked.requests, facts, context },
          decided: decision,
        }).missing
  return { asked, decision, lacks }
}

/** A pasted URL may carry a token; it says nothing about what is allowed. */
function without({ segments, query }: CanonicalTarget, parameter: string): CanonicalTarget {
  return { segments, query: query.filter(({ key }) => key !== parameter) }
}

/** Under the grant that the user's token was issued with; where there is no token, under today's alone. */
function principalOf(user: ApiUser, path: string): { principal: Principal; token: string } {
  const today: Principal = {
    user: user.name,
    tokenId: 'explain',
    issued: user.grant,
    issuedHash: user.grantHash,
    expiresAtMs: undefined,
    epoch: 0,
  }
  if (!existsSync(path)) return { principal: today, token: 'none; as if it were minted now' }
  using store = openSqliteStore({ path })
  const row = store.live(user.name)
  if (row === undefined) return { principal: today, token: 'none; as if it were minted now' }
  const grant = store.grant(row.grantHash)
  if (row.grantHash === user.grantHash || grant === undefined) {
    return { principal: today, token: `${row.id}, of today's grant` }
  }
  const issued: Grant = JSON.parse(grant)
  return {
    principal: { ...today, tokenId: row.id, issued, issuedHash: row.grantHash },
    token: `${row.id}, of an older grant: what was added since is held back until it is extended`,
  }
}
