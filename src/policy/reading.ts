/** One reading of an ask under one grant: every combination of its names, the first failing check wins, hours and limits last. */

import type { Charge, DenyReason, Obligations } from '../domain/decision.ts'
import type { GrantRule } from '../domain/grant.ts'
import type { GrantAbility } from './ability.ts'
import type { Ask, Names } from './ask.ts'
import type { Zones } from './hours.ts'
import { count, WHOLE } from './obligations.ts'
import { canHolds, canReaches } from './rule-match.ts'
import type { Reading } from './truth.ts'

export type Allow = {
  outcome: 'allow'
  rule: GrantRule
  obligations: Obligations
  /** Limits of the rules that it rests on. */
  charges?: ReadonlySet<Charge> | undefined
  /** Keys of limits that had no room, so that their rules did not hold. */
  spent?: ReadonlySet<string> | undefined
}
export type Deny = {
  outcome: 'deny'
  reason: DenyReason
  rule: GrantRule | undefined
  tell: string | undefined
  /** Of `over_limit`: milliseconds until a rule has room. */
  waitMs?: number
}
/** `limited`: some rule of the grant has a limit. */
export function createReader(ability: GrantAbility, zones: Zones, limited: boolean) {
  return read

  /** Reads every combination; a denial for hour or limit alone is told apart from a right that was never granted. */
  function read(ask: Ask, names: readonly Names[], reading: Reading): Allow | Deny {
    ask.reading = reading
    ask.outsideHours = false
    const now = readAll(ask, names)
    return now.outcome === 'allow' || (!ask.outsideHours && ask.waitMs === undefined)
      ? now
      : readLate(ask, names, now)
  }

  function readLate(ask: Ask, names: readonly Names[], now: Deny): Deny {
    const { waitMs } = ask
    let answer: Allow | Deny = now
    ask.ignoreLimits = true
    if (waitMs !== undefined) {
      answer = readAll(ask, names)
      if (answer.outcome === 'allow') answer = { ...deny('over_limit', answer.rule), waitMs }
    }
    if (answer.outcome === 'deny' && answer.reason !== 'over_limit' && ask.outsideHours) {
      ask.ignoreHours = true
      answer = readAll(ask, names)
      if (answer.outcome === 'allow') answer = deny('outside_hours', answer.rule)
    }
    ask.ignoreHours = false
    ask.ignoreLimits = false
    return answer
  }

  function readAll(ask: Ask, names: readonly Names[]): Allow | Deny {
    let first: GrantRule | undefined
    if (limited) ask.charges = undefined
    for (const tuple of names) {
      ask.names = tuple
      if (limited) ask.waitMs = undefined
      const answer = ability.decide(ask)
      switch (answer.outcome) {
        case 'can':
          first ??= answer.rule.rule
          if (answer.rule.charge) count(ask, answer.rule.charge)
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
}

export function deny(reason: DenyReason, rule?: GrantRule, tell?: string): Deny {
  return { outcome: 'deny', reason, rule, tell }
}
