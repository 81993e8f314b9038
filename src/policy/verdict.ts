/** What one grant says to one access request: every combination of its names asked, first failing check wins. */

import type { AccessRequest, RequestContext } from '../domain/access-request.ts'
import type { DenyReason, Obligations } from '../domain/decision.ts'
import type { Grant, GrantRule } from '../domain/grant.ts'
import { buildAbility, type AbilityParts, type GrantAbility } from './ability.ts'
import { Ask, combinations, type Names } from './ask.ts'
import { reachesAll } from './device-limit.ts'
import { joinObligations, obligationsOf, sameObligations, WHOLE } from './obligations.ts'
import type { FactsInHand } from './policy-engine.ts'
import { canHolds, canReaches } from './rule-match.ts'
import type { Reading } from './truth.ts'

export type Allow = { outcome: 'allow'; rule: GrantRule; obligations: Obligations }
export type Deny = {
  outcome: 'deny'
  reason: DenyReason
  rule: GrantRule | undefined
  tell: string | undefined
}
/** With the attribute values that were looked at. */
export type Verdict = (Allow | Deny | { outcome: 'needs_facts' }) & {
  used: Readonly<Record<string, unknown>> | undefined
}

export type CompiledGrant = {
  grant: Grant
  ability: GrantAbility
  judge(request: AccessRequest, facts: FactsInHand, context: RequestContext): Verdict
}

export function compileGrant(grant: Grant, parts: AbilityParts): CompiledGrant {
  const { catalog, facts: known, zones } = parts
  const ability = buildAbility(grant, parts)

  return {
    grant,
    ability,
    judge(request, facts, context) {
      const action = catalog.actions.get(request.action)
      if (action === undefined) return { ...deny('not_granted'), used: undefined }
      const ask = new Ask(request, action, facts, context)
      const names = combinations(request, action)
      return { ...judgeAsk(ask, names), used: ask.used }
    },
  }

  function judgeAsk(ask: Ask, names: readonly Names[]): Allow | Deny | { outcome: 'needs_facts' } {
    const strict = read(ask, names, 'strict')
    if (strict.outcome === 'allow') {
      return ask.itemwise ? allowWholeList(ask, strict) : withObligations(ask, names, strict.rule)
    }
    if (!ask.open) return strict
    // What is open was read against the caller; if it is denied in the other reading too, nothing hangs on it.
    const open = read(ask, names, 'open')
    if (open.outcome === 'allow') {
      return ask.itemwise ? deny('cannot_filter_yet', open.rule) : { outcome: 'needs_facts' }
    }
    const tellHangsOnIt = open.tell !== undefined && strict.tell !== open.tell
    return tellHangsOnIt && !ask.itemwise ? { outcome: 'needs_facts' } : open
  }

  /** Reads every combination; a denial for the hour alone is told apart from a right that was never granted. */
  function read(ask: Ask, names: readonly Names[], reading: Reading): Allow | Deny {
    ask.reading = reading
    ask.ignoreHours = false
    ask.outsideHours = false
    const onTime = readAll(ask, names)
    if (onTime.outcome === 'allow' || !ask.outsideHours) return onTime
    ask.ignoreHours = true
    const anyTime = readAll(ask, names)
    ask.ignoreHours = false
    return anyTime.outcome === 'allow' ? deny('outside_hours', anyTime.rule) : anyTime
  }

  function readAll(ask: Ask, names: readonly Names[]): Allow | Deny {
    let first: GrantRule | undefined
    for (const tuple of names) {
      ask.names = tuple
      const answer = ability.decide(ask)
      switch (answer.outcome) {
        case 'can':
          first ??= answer.rule.rule
          continue
        case 'outside_boundary':
        case 'outside_devices':
          return deny(answer.outcome)
        case 'not_granted':
          return notGranted(ask)
        case 'forbidden':
          return answer.by === undefined
            ? deny('forbidden', answer.granted.rule)
            : deny('forbidden', answer.by.rule, answer.by.rule.tell)
      }
    }
    return first === undefined
      ? deny('not_granted')
      : { outcome: 'allow', rule: first, obligations: WHOLE }
  }

  /** A `can` that its `unless` alone took away says so: it matched this device. */
  function notGranted(ask: Ask): Deny {
    for (const compiled of ability.cansOf(ask.request.action)) {
      if (compiled.unless === undefined || !canReaches(compiled, ask)) continue
      if (!canHolds(compiled, ask, zones))
        return deny('not_granted', compiled.rule, compiled.rule.tell)
    }
    return deny('not_granted')
  }

  function allowWholeList(ask: Ask, allowed: Allow): Allow | Deny {
    const { action, request } = ask
    const isNothingOfTheFleet = request.resource.type === 'none'
    const isLimited =
      (request.relation === true || known.hasDeviceItems(action.name)) &&
      !reachesAll(grant, request.resource)
    if (isNothingOfTheFleet || isLimited) return deny('cannot_filter_yet', allowed.rule)
    return { ...allowed, obligations: obligations(ask, combinations(request, action), 'strict') }
  }

  function withObligations(
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

  function obligations(ask: Ask, names: readonly Names[], reading: Reading): Obligations {
    const { action } = ask.request
    const cans = ability.cansOf(action)
    const hides = ability.hidesOf(action)
    const secrets = known.secrets(action)
    return names
      .map((tuple) => {
        ask.names = tuple
        return obligationsOf(ask, reading, { cans, hides, secrets, zones })
      })
      .reduce(joinObligations)
  }
}

function deny(reason: DenyReason, rule?: GrantRule, tell?: string): Deny {
  return { outcome: 'deny', reason, rule, tell }
}
