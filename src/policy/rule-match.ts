/** One rule of a grant as a function of an ask: its field names, conditions, sources and hours. */

import type { FieldWord } from '../domain/catalog.ts'
import type { Charge } from '../domain/decision.ts'
import type { EventSource, GrantRule } from '../domain/grant.ts'
import { fieldWords } from '../domain/words.ts'
import type { Ask } from './ask.ts'
import { compileCondition, type ConditionCheck } from './conditions.ts'
import { isWithin, type Zones } from './hours.ts'
import { ruleCharge } from './limit.ts'
import { SOURCES } from './policy-shape.ts'
import { PREFIX_WORDS } from './rule-checks.ts'
import { needsTrue, unlessFalse } from './truth.ts'

export type CompiledRule = {
  rule: GrantRule
  /** Position in the grant: the deciding rule is the first. */
  position: number
  words: readonly FieldMatch[]
  condition: ConditionCheck | undefined
  unless: ConditionCheck | undefined
  /** Sources of which events pass; absent: every one. */
  sources: ReadonlySet<EventSource> | undefined
  /** What a request that rests on it is counted by. */
  charge: Charge | undefined
}

/** A name may end in `*`: then it stands for all names of one beginning. */
type FieldMatch = {
  word: FieldWord
  /** The rule names all of it. */
  covers: (name: string) => boolean
  /** The rule names some of it. */
  meets: (name: string) => boolean
}

export function compileRule(rule: GrantRule, position: number, user: string): CompiledRule {
  return {
    rule,
    position,
    words: fieldWords.flatMap((word) => {
      const names = rule.fields?.[word]
      return names === undefined ? [] : [fieldMatcher(word, names, rule.effect)]
    }),
    condition: rule.condition && compileCondition(rule.condition),
    unless: rule.unless && compileCondition(rule.unless),
    sources: sourcesOf(rule),
    charge: ruleCharge(rule, user),
  }
}

/** A `can` without sources means what devices publish; a `cannot` without them means all. */
function sourcesOf({ effect, sources }: GrantRule): ReadonlySet<EventSource> | undefined {
  if (sources === undefined) return effect === 'cannot' ? undefined : new Set(['device'])
  return SOURCES.every((source) => sources.includes(source)) ? undefined : new Set(sources)
}

/** A `can` matches names to the letter; a `cannot` without case, so that another spelling is no way around it. */
function fieldMatcher(
  word: FieldWord,
  names: readonly string[],
  effect: GrantRule['effect'],
): FieldMatch {
  const form = (name: string) => (effect === 'cannot' ? name.toLowerCase() : name)
  const isPrefix = (name: string) => PREFIX_WORDS.has(word) && name.endsWith('*')
  const exact = new Set(names.filter((name) => !isPrefix(name)).map(form))
  const prefixes = names.filter(isPrefix).map((name) => form(name.slice(0, -1)))
  const covers = (name: string) => {
    const formed = form(name)
    return exact.has(formed) || prefixes.some((prefix) => formed.startsWith(prefix))
  }
  const meets = (name: string) => {
    if (covers(name) || !isPrefix(name)) return covers(name)
    const beginning = form(name).slice(0, -1)
    return [...exact, ...prefixes].some((named) => named.startsWith(beginning))
  }
  return { word, covers, meets }
}

/** Whether a `can` holds for this ask. Hours, then the limit come last, so that what they set means nothing else was missing. */
export function canHolds(compiled: CompiledRule, ask: Ask, zones: Zones): boolean {
  return (
    canReaches(compiled, ask) &&
    (compiled.unless === undefined || !unlessFalse(compiled.unless(ask), ask.reading)) &&
    isOnTime(compiled, ask, zones) &&
    (compiled.charge === undefined || ask.hasRoom(compiled.charge))
  )
}

/** Whether a `can` is about this ask at all: everything but `unless`, hours and limit. */
export function canReaches({ words, condition, sources }: CompiledRule, ask: Ask): boolean {
  for (const { word, covers, meets } of words) {
    const name = ask.names[word]
    if (ask.isOpenName(word)) {
      ask.varies = true
      if (ask.reading === 'strict' || (name !== undefined && !meets(name))) return false
    } else if (name === undefined || !covers(name)) return false
  }
  if (sources !== undefined && ask.action.shape === 'stream') {
    if (ask.itemwise) {
      ask.varies = true
      if (ask.reading === 'strict') return false
    } else if (ask.event === undefined || !sources.has(ask.event.source)) return false
  }
  return condition === undefined || needsTrue(condition(ask), ask.reading)
}

function isOnTime({ rule }: CompiledRule, ask: Ask, zones: Zones): boolean {
  if (rule.when === undefined || ask.ignoreHours) return true
  if (isWithin(rule.when, ask.atMs, zones)) return true
  ask.outsideHours = true
  return false
}

export function cannotMatches(
  { rule, words, condition, sources }: CompiledRule,
  ask: Ask,
  zones: Zones,
): boolean {
  for (const { word, covers, meets } of words) {
    const name = ask.names[word]
    if (ask.isOpenName(word)) {
      ask.varies = true
      if (ask.reading === 'open' && (name === undefined || !covers(name))) return false
      // A request that shows no name may be about any.
    } else if (name !== undefined && !meets(name)) return false
  }
  if (sources !== undefined && ask.action.shape === 'stream') {
    if (ask.itemwise) {
      ask.varies = true
      if (ask.reading === 'open') return false
    } else if (ask.event !== undefined && !sources.has(ask.event.source)) return false
  }
  if (condition !== undefined && !unlessFalse(condition(ask), ask.reading)) return false
  return rule.when === undefined || isWithin(rule.when, ask.atMs, zones)
}
