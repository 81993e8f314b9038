/** What the rules of a grant on one action look at, whatever they then say. */

import type { Condition, GrantRule } from '../domain/grant.ts'

export type ActionTraits = {
  /** Some rule reads attributes of the resource. */
  readsAttributes: boolean
  /** Some rule reads values of the request. */
  readsValues: boolean
  /** Some rule names events. */
  readsEvents: boolean
  /** Some rule has hours. */
  timed: boolean
  /** The tightest of their `max_age`s. */
  maxAgeMs: number | undefined
}

export function traitsOf(rules: readonly GrantRule[]): ActionTraits {
  const conditions = rules.flatMap(({ condition, unless }) =>
    [condition, unless].filter((one) => one !== undefined),
  )
  return {
    readsAttributes: conditions.some((one) => reads(one, 'attribute')),
    readsValues: conditions.some((one) => reads(one, 'value')),
    readsEvents: rules.some(({ fields }) => fields?.events !== undefined),
    timed: rules.some(({ when }) => when !== undefined),
    maxAgeMs: rules.map(({ maxAgeMs }) => maxAgeMs).reduce(tighter, undefined),
  }
}

function reads(condition: Condition, what: 'attribute' | 'value'): boolean {
  if ('and' in condition) return condition.and.some((inner) => reads(inner, what))
  if ('or' in condition) return condition.or.some((inner) => reads(inner, what))
  if ('not' in condition) return reads(condition.not, what)
  return what in condition
}

export function tighter(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return Math.min(a, b)
}
