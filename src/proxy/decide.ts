/** Asks the engine, and where the answer hangs on attributes not in hand, fetches them and asks once more. */

import type { RequestContext, Resource } from '../domain/access-request.ts'
import type { Decision } from '../domain/decision.ts'
import type { Principal } from '../domain/principal.ts'
import { Problem } from '../domain/problem.ts'
import type { FactsInHand, PolicyEngine } from '../policy/policy-engine.ts'
import type { Directory } from '../upstream/directory.ts'
import { hasKeys } from './cut.ts'
import type { Asked } from './describe.ts'

export type Decide = (
  principal: Principal,
  asked: Asked,
  context: RequestContext,
) => Promise<Decision> | Decision

export function createDecide(policy: PolicyEngine, directory: Directory): Decide {
  return (principal, asked, context) => {
    if (asked.unresolved !== undefined) return unresolved(asked, asked.unresolved)
    // The caller's own token is everybody's to ask about; nothing of the fleet is in the answer.
    if (asked.route.kind.kind === 'self') return own
    const facts = createFacts(directory)
    const first = policy.decide(principal, asked.requests, facts.inHand, context)
    return first.outcome === 'needs_facts'
      ? again(principal, asked, first.resources, facts, context)
      : cuttable(asked, first)
  }

  async function again(
    principal: Principal,
    asked: Asked,
    wanted: readonly Resource[],
    facts: Facts,
    context: RequestContext,
  ): Promise<Decision> {
    await Promise.all(
      wanted.map(async (resource) => {
        facts.put(resource, await directory.attributes(resource, principal.user))
      }),
    )
    const second = policy.decide(principal, asked.requests, facts.inHand, context)
    // All that was ever looked at is in hand now, so this cannot repeat.
    if (second.outcome === 'needs_facts') throw new Problem('attribute_unavailable')
    return cuttable(asked, second)
  }
}

type Attributes = Readonly<Record<string, unknown>>
type Facts = { inHand: FactsInHand; put(resource: Resource, attributes: Attributes): void }

/** One request's view of the directory's cache: what it has seen does not age out between two asks. */
function createFacts(directory: Directory): Facts {
  let seen: Map<string, Attributes> | undefined
  const put = (resource: Resource, attributes: Attributes) => {
    seen ??= new Map()
    seen.set(keyOf(resource), attributes)
  }
  return {
    put,
    inHand(resource) {
      const known = seen?.get(keyOf(resource))
      if (known !== undefined) return known
      const cached = directory.cached(resource)
      if (cached !== undefined) put(resource, cached)
      return cached
    },
  }
}

/** Answers without keys stream by whole: where a rule shows only a part of them, nothing is shown. */
function cuttable(asked: Asked, decision: Decision): Decision {
  const { way, answer } = asked.route
  if (decision.outcome === 'deny' || way !== 'streaming' || hasKeys(answer)) return decision
  const { obligations, rule, facts } = decision
  if (obligations.answer === undefined && obligations.hide.size === 0) return decision
  const [first] = asked.requests
  const { device, product, organization } = first?.resource ?? {}
  return {
    outcome: 'deny',
    reason: 'cannot_filter_yet',
    rule,
    tell: undefined,
    facts,
    failed: {
      action: first?.action ?? asked.route.id,
      resource: device ?? product ?? organization ?? 'none',
    },
  }
}

const own: Decision = {
  outcome: 'allow',
  rule: undefined,
  obligations: { answer: undefined, hide: new Set(), reveal: new Set() },
  facts: {},
}

/** Refused like any other device or product that is not theirs. */
function unresolved(asked: Asked, reason: NonNullable<Asked['unresolved']>): Decision {
  const [first] = asked.requests
  return {
    outcome: 'deny',
    reason,
    rule: undefined,
    tell: undefined,
    facts: {},
    failed: { action: first?.action ?? asked.route.id, resource: 'unknown' },
  }
}

function keyOf({ organization = '', product = '', device = '' }: Resource): string {
  return `${organization}/${product}/${device}`
}
