/** What an allow still demands of the answer: the union of what the matching `can`s show, minus what any rule hides. */

import type { Charge, Obligations, Shown } from '../domain/decision.ts'
import type { Ask } from './ask.ts'
import type { Zones } from './hours.ts'
import type { RuleIndex } from './rule-index.ts'
import { canHolds, cannotMatches, type CompiledRule } from './rule-match.ts'
import type { Reading } from './truth.ts'

const NONE: ReadonlySet<string> = new Set()

/** The whole answer but its secrets. */
export const WHOLE: Obligations = { answer: undefined, hide: NONE, reveal: NONE }
const WHOLE_EACH: Obligations = { ...WHOLE, items: 'each' }

const MAX_KNOWN = 1000

export type ObligationParts = {
  /** Some rule has a say in it. */
  shaped: boolean
  cans: RuleIndex
  hides: readonly CompiledRule[]
  secrets: ReadonlySet<string>
  zones: Zones
  /** One value for each set of rules that matched: to be cut by is dear to prepare. */
  known: Map<string, Obligations>
}

/**
 * How what is open is read, for obligations. `strict` and `open` are the two readings of one resource. Of the items of
 * a list, `tightest` is what all of them may at least show and `widest` what any may at most. `loosest` is what may be
 * shown outside of items: a secret is never revealed there because some item might have it revealed.
 */
export type Shaping = Reading | 'tightest' | 'loosest' | 'widest'

const READINGS: Readonly<
  Record<Shaping, Record<'shows' | 'canHides' | 'hides' | 'reveals', Reading>>
> = {
  strict: { shows: 'strict', canHides: 'strict', hides: 'strict', reveals: 'strict' },
  open: { shows: 'open', canHides: 'open', hides: 'open', reveals: 'open' },
  tightest: { shows: 'strict', canHides: 'open', hides: 'strict', reveals: 'strict' },
  loosest: { shows: 'open', canHides: 'strict', hides: 'open', reveals: 'strict' },
  widest: { shows: 'open', canHides: 'strict', hides: 'open', reveals: 'open' },
}

/** Obligations of one ask that was allowed. */
export function obligationsOf(ask: Ask, shaping: Shaping, parts: ObligationParts): Obligations {
  const { cans, hides, zones, known } = parts
  if (!parts.shaped) return WHOLE
  const readings = READINGS[shaping]
  const held = (reading: Reading) => {
    ask.reading = reading
    return cans.every(ask, (rule) => canHolds(rule, ask, zones))
  }
  const showing = held(readings.shows)
  const hiding = readings.canHides === readings.shows ? showing : held(readings.canHides)
  const revealing = readings.reveals === readings.shows ? showing : held(readings.reveals)
  ask.reading = readings.hides
  const stripping = hides.filter((rule) => cannotMatches(rule, ask, zones))
  // A rule that adds keys to the answer is used, whichever decided.
  if (shaping !== 'open') for (const { charge } of showing) if (charge) count(ask, charge)

  const also = (rules: readonly CompiledRule[]) => (rules === showing ? '=' : positions(rules))
  const key = `${positions(showing)}/${also(hiding)}/${also(revealing)}/${positions(stripping)}`
  const same = known.get(key)
  if (same !== undefined) return same
  if (known.size >= MAX_KNOWN) known.clear()
  const made = shape(showing, [...hiding, ...stripping], revealing, parts.secrets)
  known.set(key, made)
  return made
}

export function count(ask: Ask, charge: Charge): void {
  ask.charges ??= new Set()
  ask.charges.add(charge)
}

function positions(rules: readonly CompiledRule[]): string {
  let text = ''
  for (const { position } of rules) text += `${position},`
  return text
}

function shape(
  showing: readonly CompiledRule[],
  hiding: readonly CompiledRule[],
  revealing: readonly CompiledRule[],
  secrets: ReadonlySet<string>,
): Obligations {
  const answer = showing.every(({ rule }) => rule.answer !== undefined)
    ? new Set(showing.flatMap(({ rule }) => rule.answer ?? []))
    : undefined
  const hide = new Set(hiding.flatMap(({ rule }) => rule.hide ?? []))
  const named = revealing.flatMap(({ rule }) => rule.answer ?? [])
  const reveal = new Set(named.filter((key) => secrets.has(key) && !hide.has(key)))
  return { answer: answer?.difference(hide), hide, reveal }
}

/**
 * What every item that may pass surely shows: by a `can` that holds for all of them, or by each of those that may be
 * the only one that does; and no rule may hide it.
 */
export function surelyShown(
  ask: Ask,
  { shaped, cans, hides, secrets, zones }: ObligationParts,
): Shown {
  if (!shaped) return WHOLE
  const held = (reading: Reading) => {
    ask.reading = reading
    return cans.every(ask, (rule) => canHolds(rule, ask, zones))
  }
  const [surely, possibly] = [held('strict'), held('open')]
  ask.reading = 'strict'
  const stripping = hides.filter((rule) => cannotMatches(rule, ask, zones))
  const hide = new Set([...possibly, ...stripping].flatMap(({ rule }) => rule.hide ?? []))
  const named = new Set(surely.flatMap(({ rule }) => rule.answer ?? []))
  for (const key of namedByAll(possibly)) named.add(key)
  const whole =
    surely.some(({ rule }) => rule.answer === undefined) ||
    possibly.every(({ rule }) => rule.answer === undefined)
  // A rule without `answer` shows every key but these: they must be named.
  const byAll = (key: string) => possibly.every(({ rule }) => rule.answer?.includes(key) === true)
  const bySome = (key: string) => surely.some(({ rule }) => rule.answer?.includes(key) === true)
  const reveal = new Set(
    [...secrets].filter((key) => !hide.has(key) && (bySome(key) || byAll(key))),
  )
  return { answer: whole ? undefined : named.difference(hide), hide, reveal }
}

function namedByAll(rules: readonly CompiledRule[]): ReadonlySet<string> {
  const lists = rules.flatMap(({ rule }) =>
    rule.answer === undefined ? [] : [new Set(rule.answer)],
  )
  const [first, ...others] = lists
  if (first === undefined) return NONE
  return others.reduce((all, list) => all.intersection(list), first)
}

/** Both must hold: what one does not show is not shown. */
export function joinObligations(a: Obligations, b: Obligations): Obligations {
  if (a === b) return a
  const joined = joinShown(a, b)
  if (a.items === undefined && b.items === undefined) return joined
  return { ...joined, items: 'each', sure: joinShown(a.sure ?? a, b.sure ?? b) }
}

export function joinShown(a: Shown, b: Shown): Shown {
  if (a === b) return a
  const answer = a.answer && b.answer ? a.answer.intersection(b.answer) : (a.answer ?? b.answer)
  return { answer, hide: a.hide.union(b.hide), reveal: a.reveal.intersection(b.reveal) }
}

export function withEachItem(obligations: Obligations, sure: Shown): Obligations {
  return obligations === WHOLE ? WHOLE_EACH : { ...obligations, items: 'each', sure }
}

export function sameObligations(a: Obligations, b: Obligations): boolean {
  if (a === b) return true
  const same = (x: ReadonlySet<string>, y: ReadonlySet<string>) =>
    x.size === y.size && x.isSubsetOf(y)
  const answers =
    a.answer === undefined || b.answer === undefined
      ? a.answer === b.answer
      : same(a.answer, b.answer)
  return answers && same(a.hide, b.hide) && same(a.reveal, b.reveal)
}
