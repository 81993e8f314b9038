/** One rule of a grant as a function of an ask: its field names, conditions, sources and hours. */

import type { FieldWord } from '../domain/catalog.ts'
import type { GrantRule } from '../domain/grant.ts'
import type { Ask } from './ask.ts'
import { compileCondition, type ConditionCheck } from './conditions.ts'
import { isWithin, type Zones } from './hours.ts'
import { FIELD_WORDS, SOURCES } from './policy-shape.ts'
import { PREFIX_WORDS } from './rule-checks.ts'
import { needsTrue, unlessFalse } from './truth.ts'

export type CompiledRule = {
  rule: GrantRule
  /** Position in the grant: the deciding rule is the first. */
  position: number
  words: readonly FieldMatch[]
  condition: ConditionCheck | undefined
  unless: ConditionCheck | undefined
  /** Events of every source pass. */
  allSources: boolean
}

type FieldMatch = { word: FieldWord; matches: (name: string) => boolean }

export function compileRule(rule: GrantRule, position: number): CompiledRule {
  return {
    rule,
    position,
    words: FIELD_WORDS.flatMap((word) => {
      const names = rule.fields?.[word]
      return names === undefined ? [] : [{ word, matches: fieldMatcher(word, names, rule.effect) }]
    }),
    condition: rule.condition && compileCondition(rule.condition),
    unless: rule.unless && compileCondition(rule.unless),
    allSources: hasAllSources(rule),
  }
}

/** A `can` without sources means what devices publish; a `cannot` without them means all. */
function hasAllSources({ effect, sources }: GrantRule): boolean {
  if (sources === undefined) return effect === 'cannot'
  return SOURCES.every((source) => sources.includes(source))
}

/** A `can` matches names to the letter; a `cannot` without case, so that another spelling is no way around it. */
function fieldMatcher(
  word: FieldWord,
  names: readonly string[],
  effect: GrantRule['effect'],
): (name: string) => boolean {
  const form = (name: string) => (effect === 'cannot' ? name.toLowerCase() : name)
  const isPrefix = (name: string) => PREFIX_WORDS.has(word) && name.endsWith('*')
  const exact = new Set(names.filter((name) => !isPrefix(name)).map(form))
  const prefixes = names.filter(isPrefix).map((name) => form(name.slice(0, -1)))
  return (name) => {
    const formed = form(name)
    if (exact.has(formed) || prefixes.some((prefix) => formed.startsWith(prefix))) return true
    if (effect === 'can' || !isPrefix(formed)) return false
    // Asked for all names of one beginning: forbidden where one of them is.
    const beginning = formed.slice(0, -1)
    return [...exact, ...prefixes].some((forbidden) => forbidden.startsWith(beginning))
  }
}

/** Whether a `can` holds for this ask. Its hours come last, so that `outsideHours` means nothing else was missing. */
export function canHolds(compiled: CompiledRule, ask: Ask, zones: Zones): boolean {
  return (
    canReaches(compiled, ask) &&
    (compiled.unless === undefined || !unlessFalse(compiled.unless(ask), ask.reading)) &&
    isOnTime(compiled, ask, zones)
  )
}

/** Whether a `can` is about this ask at all: everything but `unless` and hours. */
export function canReaches({ words, condition, allSources }: CompiledRule, ask: Ask): boolean {
  for (const { word, matches } of words) {
    const name = ask.names[word]
    if (isOpenField(ask, name)) {
      ask.open = true
      if (ask.reading === 'strict') return false
    } else if (name === undefined || !matches(name)) return false
  }
  if (ask.action.shape === 'stream' && !allSources) {
    ask.open = true
    if (ask.reading === 'strict') return false
  }
  return condition === undefined || needsTrue(condition(ask), ask.reading)
}

function isOnTime({ rule }: CompiledRule, ask: Ask, zones: Zones): boolean {
  if (rule.when === undefined || ask.ignoreHours) return true
  if (isWithin(rule.when, ask.context.atMs, zones)) return true
  ask.outsideHours = true
  return false
}

export function cannotMatches(
  { rule, words, condition, allSources }: CompiledRule,
  ask: Ask,
  zones: Zones,
): boolean {
  for (const { word, matches } of words) {
    const name = ask.names[word]
    if (isOpenField(ask, name)) {
      ask.open = true
      if (ask.reading === 'open') return false
      // A request that shows no name may be about any.
    } else if (name !== undefined && !matches(name)) return false
  }
  if (ask.action.shape === 'stream' && !allSources) {
    ask.open = true
    if (ask.reading === 'open') return false
  }
  if (condition !== undefined && !unlessFalse(condition(ask), ask.reading)) return false
  return rule.when === undefined || isWithin(rule.when, ask.context.atMs, zones)
}

/** Each event of a stream has its own name, and so has each item of a list whose request names none. */
function isOpenField({ action, itemwise }: Ask, name: string | undefined): boolean {
  return action.shape === 'stream' || (itemwise && name === undefined)
}
