/** What the rules of a grant on one action look at, whatever they then say. */

import { attributesIn } from '../domain/attributes-read.ts'
import type { Condition, GrantRule } from '../domain/grant.ts'

export type ActionTraits = {
  /** Some rule reads attributes of the resource. */
  readsAttributes: boolean
  /** These, its id among them. */
  attributes: ReadonlySet<string>
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
  const attributes = new Set(conditions.flatMap(attributesIn))
  return {
    readsAttributes: attributes.size > 0,
    attributes,
    readsValues: conditions.some(readsValue),
    readsEvents: rules.some(({ fields }) => fields?.events !== undefined),
    timed: rules.some(({ when }) => when !== undefined),
    maxAgeMs: rules.map(({ maxAgeMs }) => maxAgeMs).reduce(tighter, undefined),
  }
}

function readsValue(condition: Condition): boolean {
  if ('and' in condition) return condition.and.some(readsValue)
  if ('or' in condition) return condition.or.some(readsValue)
  if ('not' in condition) return readsValue(condition.not)
  return 'value' in condition
}

export function tighter(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return Math.min(a, b)
}
