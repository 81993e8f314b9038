/** `limit` of a rule and `rate` of an API user: so many calls in so much time, and the name each is counted under. */

import { hash } from 'node:crypto'
import type { Charge } from '../domain/decision.ts'
import type { Grant, GrantRule, Limit } from '../domain/grant.ts'
import { canonicalJson, meaningOf } from './grant-hash.ts'
import { limitKeys } from './policy-shape.ts'
import { decodeKeys, mistakeAt, within, type Part, type Report } from './report.ts'

/** What a timer of the system can hold. */
const longestMs = 24 * 86_400_000

export function readLimit(part: Part, report: Report): Limit | undefined {
  const limit = decodeKeys(limitKeys, part, report)
  if (limit === undefined) return undefined
  if (limit.calls === undefined || limit.per === undefined) {
    const said = typeof part.value === 'object' ? Object.keys(part.value) : []
    const word = String(part.path.at(-1))
    for (const key of ['calls', 'per']) {
      if (!said.includes(key)) mistakeAt(report, part, `${word} needs "${key}"`)
    }
    return undefined
  }
  if (limit.per % 1000 !== 0) {
    mistakeAt(report, within(part, 'per'), 'must be whole seconds, minutes, hours or days')
  }
  if (limit.per > longestMs) {
    mistakeAt(report, within(part, 'per'), 'must be 24d at most: counts are kept in memory')
  }
  return { calls: limit.calls, perS: limit.per / 1000 }
}

/** Named by what the rule means: it is the same count on every replica, after every reload, wherever the rule is written. */
export function ruleCharge(rule: GrantRule, user: string): Charge | undefined {
  const { limit } = rule
  return limit && { key: keyOf(['limit', user, meaningOf(rule)]), limit }
}

export function rateCharge({ user, rate }: Grant): Charge | undefined {
  return rate && { key: keyOf(['rate', user, rate]), limit: rate }
}

function keyOf(meaning: readonly unknown[]): string {
  return hash('sha256', canonicalJson(meaning), 'hex')
}
