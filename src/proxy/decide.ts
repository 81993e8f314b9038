/** Asks the engine, and where the answer hangs on attributes not in hand, fetches them and asks once more. */

import type { RequestContext, Resource } from '../domain/access-request.ts'
import type { Decision } from '../domain/decision.ts'
import type { Principal } from '../domain/principal.ts'
import { Problem } from '../domain/problem.ts'
import type { PolicyEngine } from '../policy/policy-engine.ts'
import type { Directory } from '../upstream/directory.ts'
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
    const first = policy.decide(principal, asked.requests, (r) => directory.cached(r), context)
    return first.outcome === 'needs_facts'
      ? again(principal, asked, first.resources, context)
      : first
  }

  async function again(
    principal: Principal,
    asked: Asked,
    wanted: readonly Resource[],
    context: RequestContext,
  ): Promise<Decision> {
    const fetched = new Map<string, Readonly<Record<string, unknown>>>()
    await Promise.all(
      wanted.map(async (resource) => {
        fetched.set(keyOf(resource), await directory.attributes(resource, principal.user))
      }),
    )
    const facts = (resource: Resource) => fetched.get(keyOf(resource)) ?? directory.cached(resource)
    const second = policy.decide(principal, asked.requests, facts, context)
    // What was fetched may have aged out of the cache meanwhile: it is in hand, so this cannot repeat.
    if (second.outcome === 'needs_facts') throw new Problem('attribute_unavailable')
    return second
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
