/** Asks the engine, and where the answer hangs on attributes not in hand, fetches them and asks once more. */

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { AccessRequest, RequestContext, Resource } from '../domain/access-request.ts'
import type { Decision } from '../domain/decision.ts'
import type { Principal } from '../domain/principal.ts'
import { Problem } from '../domain/problem.ts'
import type { MaybePromise } from '../lib/maybe-promise.ts'
import { slicesOf } from '../lib/slices.ts'
import type { FactsInHand, NeedsFacts, PolicyEngine } from '../policy/policy-engine.ts'
import type { Directory } from '../upstream/directory.ts'
import { answerable } from './answerable.ts'
import { questionsOf } from './deeds.ts'
import type { Asked } from './describe.ts'

export type Decide = (
  principal: Principal,
  asked: Asked,
  context: RequestContext,
) => MaybePromise<Decision>

/** As many look-ups are made side by side without a thought for a cheaper way. */
const handful = 4
/** What is asked in one turn of the event loop: some milliseconds of it. */
const sliceQuestions = 500

export function createDecide(policy: PolicyEngine, directory: Directory): Decide {
  return (principal, asked, context) => {
    if (asked.unresolved !== undefined) return unresolved(asked, asked.unresolved)
    // The caller's own token is everybody's to ask about; nothing of the fleet is in the answer.
    if (asked.route.kind.kind === 'self') return own
    const facts = createFacts(directory)
    const first = ask(principal, asked, facts, context)
    return first instanceof Promise
      ? first.then((answer) => settle(principal, asked, answer, facts, context))
      : settle(principal, asked, first, facts, context)
  }

  function settle(
    principal: Principal,
    asked: Asked,
    answer: Decision | NeedsFacts,
    facts: Facts,
    context: RequestContext,
  ): Promise<Decision> | Decision {
    return answer.outcome === 'needs_facts'
      ? again(principal, asked, answer, facts, context)
      : answerable(asked, answer)
  }

  function ask(
    principal: Principal,
    { requests }: Asked,
    facts: Facts,
    context: RequestContext,
  ): MaybePromise<Decision | NeedsFacts> {
    return isLittle(requests)
      ? policy.decide(principal, requests, facts.inHand, context)
      : askInSlices(principal, requests, facts, context)
  }

  /** Under one set of policies: where another comes into force meanwhile, all of it is asked anew. */
  async function askInSlices(
    principal: Principal,
    requests: readonly AccessRequest[],
    { inHand }: Facts,
    context: RequestContext,
  ): Promise<Decision | NeedsFacts> {
    let { revision } = policy
    let deciding = policy.deciding(principal, inHand, context)
    const slices = [...slicesOf(requests, sliceQuestions, questionsOf)]
    for (let at = 0; at < slices.length; at += 1) {
      const settled = deciding.take(slices[at] ?? [])
      if (settled !== undefined) return settled
      // oxlint-disable-next-line no-await-in-loop -- that is what makes slices of it
      await nextTurn()
      if (policy.revision === revision) continue
      ;({ revision } = policy)
      deciding = policy.deciding(principal, inHand, context)
      at = -1
    }
    return deciding.end()
  }

  async function again(
    principal: Principal,
    asked: Asked,
    { resources, maxAgeMs }: NeedsFacts,
    facts: Facts,
    context: RequestContext,
  ): Promise<Decision> {
    const { user } = principal
    const many = resources.length > handful
    const prepared = many ? await directory.prepare(resources, user, maxAgeMs) : undefined
    const look = async (resource: Resource) => {
      // What was read for this request is young enough for it, however long that took.
      const known = prepared?.(resource) ?? facts.inHand(resource, maxAgeMs)
      const found = known ?? (await directory.attributes(resource, user, maxAgeMs))
      facts.put(resource, found, maxAgeMs)
    }
    for (const slice of slicesOf(resources, sliceQuestions)) {
      // oxlint-disable-next-line no-await-in-loop -- that is what makes slices of it
      await Promise.all(slice.map(look))
      // oxlint-disable-next-line no-await-in-loop -- likewise
      if (resources.length > sliceQuestions) await nextTurn()
    }
    const second = await ask(principal, asked, facts, context)
    // All that was ever looked at is in hand now, so this cannot repeat.
    if (second.outcome === 'needs_facts') throw new Problem('attribute_unavailable')
    return answerable(asked, second)
  }
}

function isLittle(requests: readonly AccessRequest[]): boolean {
  if (requests.length <= 1) return true
  return requests.reduce((sum, request) => sum + questionsOf(request), 0) <= sliceQuestions
}

type Attributes = Readonly<Record<string, unknown>>
type Facts = {
  inHand: FactsInHand
  put(resource: Resource, attributes: Attributes, maxAgeMs: number | undefined): void
}

/** One request's view of the directory's cache: what it has seen does not age out between two asks. */
function createFacts(directory: Directory): Facts {
  let seen: Map<string, { attributes: Attributes; limitMs: number }> | undefined
  const put: Facts['put'] = (resource, attributes, maxAgeMs = Number.POSITIVE_INFINITY) => {
    seen ??= new Map()
    seen.set(keyOf(resource), { attributes, limitMs: maxAgeMs })
  }
  return {
    put,
    inHand(resource, maxAgeMs) {
      const known = seen?.get(keyOf(resource))
      // What was young enough for one rule may be too old for another.
      if (known !== undefined && known.limitMs <= (maxAgeMs ?? Number.POSITIVE_INFINITY)) {
        return known.attributes
      }
      const cached = directory.cached(resource, maxAgeMs)
      if (cached !== undefined) put(resource, cached, maxAgeMs)
      return cached
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
