/** What one grant says to one access request: every combination of its names asked, first failing check wins. */

import type { AccessRequest, RequestContext } from '../domain/access-request.ts'
import type { Charge, Obligations } from '../domain/decision.ts'
import type { Grant, GrantRule } from '../domain/grant.ts'
import { buildAbility, type AbilityParts, type GrantAbility } from './ability.ts'
import { traitsOf, type ActionTraits } from './action-traits.ts'
import { Ask, combinations, type Names } from './ask.ts'
import { reachesAll } from './device-limit.ts'
import { compileFrom } from './addresses.ts'
import { rateCharge } from './limit.ts'
import { createNarrower } from './narrow.ts'
import {
  joinObligations,
  obligationsOf,
  joinShown,
  sameObligations,
  surelyShown,
  WHOLE,
  withEachItem,
  type ObligationParts,
  type Shaping,
} from './obligations.ts'
import type { FactsInHand, Item } from './policy-engine.ts'
import { type Allow, createReader, type Deny, deny } from './reading.ts'

type Answered = Allow | Deny | { outcome: 'needs_facts' }
/** With the attribute values that were looked at. */
export type Verdict = Answered & { used: Readonly<Record<string, unknown>> | undefined }

export type CompiledGrant = {
  grant: Grant
  ability: GrantAbility
  traits(action: string): ActionTraits
  /** `event`: asked about one event of a stream, which its request names. */
  judge(
    request: AccessRequest,
    facts: FactsInHand,
    context: RequestContext,
    event?: Item['event'],
  ): Verdict
  obligations(ask: Ask, names: readonly Names[], shaping: Shaping): Obligations
  narrowed: ReturnType<typeof createNarrower>
  /** Whether the API user may call from this address at all. */
  admits(address: string): boolean
  /** What each of its requests is counted by. */
  rate: Charge | undefined
  /** Some rule has a limit, or all requests have one. */
  limited: boolean
}

export function compileGrant(grant: Grant, parts: AbilityParts): CompiledGrant {
  const { catalog, facts: known, zones } = parts
  const ability = buildAbility(grant, parts)
  const traits = new Map<string, ActionTraits>()
  const shapes = new Map<string, ObligationParts>()
  const narrowed = createNarrower(grant, ability, known)

  const isFrom = grant.from && compileFrom(grant.from)
  const rate = rateCharge(grant)
  const limited = rate !== undefined || grant.rules.some(({ limit }) => limit !== undefined)
  const read = createReader(ability, zones, limited)

  return {
    ...{ grant, ability, traits: traitsFor, judge, obligations, narrowed, rate, limited },
    admits: (address) => isFrom === undefined || isFrom(address),
  }

  function traitsFor(action: string): ActionTraits {
    let found = traits.get(action)
    if (found === undefined) {
      const { cansOf, forbidsOf, hidesOf } = ability
      const rules = [cansOf(action), forbidsOf(action), hidesOf(action)].flat()
      found = traitsOf(rules.map(({ rule }) => rule))
      if (catalog.actions.has(action)) traits.set(action, found)
    }
    return found
  }

  function judge(
    request: AccessRequest,
    facts: FactsInHand,
    context: RequestContext,
    event?: Item['event'],
  ): Verdict {
    const action = catalog.actions.get(request.action)
    if (action === undefined) return { ...deny('not_granted'), used: undefined }
    const { maxAgeMs } = traitsFor(action.name)
    const ask = new Ask({ request, action, known, context, facts, event, maxAgeMs })
    const answered = judgeAsk(ask, combinations(request, action))
    if (answered.outcome !== 'allow' || !limited) return { ...answered, used: ask.used }
    return { ...answered, used: ask.used, charges: ask.charges, spent: ask.spent }
  }

  function judgeAsk(ask: Ask, names: readonly Names[]): Answered {
    const strict = read(ask, names, 'strict')
    if (strict.outcome === 'allow') {
      return ask.itemwise ? admit(ask, names, strict.rule) : allow(ask, names, strict.rule)
    }
    if (!ask.open && !ask.varies && !ask.anyValue) return strict
    // What is open was read against the caller; if it is denied in the other reading too, nothing hangs on it.
    const open = read(ask, names, 'open')
    if (open.outcome === 'allow') {
      if (ask.open) return { outcome: 'needs_facts' }
      return ask.varies ? admitSome(ask, names, open.rule) : allow(ask, names, open.rule)
    }
    const tellHangsOnIt = open.tell !== undefined && strict.tell !== open.tell
    return tellHangsOnIt && ask.open ? { outcome: 'needs_facts' } : open
  }

  /** A list or stream that every item may be asked for under; whole only if all of them surely pass alike. */
  function admit(ask: Ask, names: readonly Names[], rule: GrantRule): Allow {
    const { action, resource } = ask
    const reached =
      resource.type === 'device' || !known.isOfDevices(action) || reachesAll(grant, resource)
    // What holds at this hour, or for what the device is now, need not hold as long as a stream is open.
    const lasting =
      action.shape !== 'stream' || (!traitsFor(action.name).timed && ask.used === undefined)
    if (resource.type === 'none' || !reached || !lasting) return admitSome(ask, names, rule)
    const tightest = obligations(ask, names, 'tightest')
    const alike = sameObligations(tightest, obligations(ask, names, 'widest'))
    return alike ? { outcome: 'allow', rule, obligations: tightest } : admitSome(ask, names, rule)
  }

  function admitSome(ask: Ask, names: readonly Names[], rule: GrantRule): Allow {
    const loosest = obligations(ask, names, 'loosest')
    const shape = shapeOf(ask.request.action)
    const sure = names
      .map((tuple) => {
        ask.names = tuple
        return surelyShown(ask, shape)
      })
      .reduce(joinShown)
    return { outcome: 'allow', rule, obligations: withEachItem(loosest, sure) }
  }

  function allow(
    ask: Ask,
    names: readonly Names[],
    rule: GrantRule,
  ): Allow | { outcome: 'needs_facts' } {
    ask.open = false
    const strict = obligations(ask, names, 'strict')
    if (ask.open && !sameObligations(strict, obligations(ask, names, 'open'))) {
      return { outcome: 'needs_facts' }
    }
    return { outcome: 'allow', rule, obligations: strict }
  }

  function obligations(ask: Ask, names: readonly Names[], shaping: Shaping): Obligations {
    const shape = shapeOf(ask.request.action)
    let joined: Obligations | undefined
    for (const tuple of names) {
      ask.names = tuple
      const one = obligationsOf(ask, shaping, shape)
      joined = joined === undefined ? one : joinObligations(joined, one)
    }
    return joined ?? WHOLE
  }

  function shapeOf(action: string): ObligationParts {
    let shape = shapes.get(action)
    if (shape === undefined) {
      const cans = ability.indexOf(action)
      const hides = ability.hidesOf(action)
      const shaped = hides.length > 0 || cans.all.some(({ rule }) => rule.answer || rule.hide)
      shape = { shaped, cans, hides, secrets: known.secrets(action), zones, known: new Map() }
      shapes.set(action, shape)
    }
    return shape
  }
}
