/** What an allow still demands of the answer: the union of what the matching `can`s show, minus what any rule hides. */

import type { Obligations } from '../domain/decision.ts'
import type { Ask } from './ask.ts'
import type { Zones } from './hours.ts'
import { canHolds, cannotMatches, type CompiledRule } from './rule-match.ts'
import type { Reading } from './truth.ts'

const NONE: ReadonlySet<string> = new Set()

/** The whole answer but its secrets. */
export const WHOLE: Obligations = { answer: undefined, hide: NONE, reveal: NONE }

export type ObligationParts = {
  cans: readonly CompiledRule[]
  hides: readonly CompiledRule[]
  secrets: ReadonlySet<string>
  zones: Zones
}

/** Obligations of one ask that was allowed. `reading` says how open facts are read; for items it is always strict. */
export function obligationsOf(ask: Ask, reading: Reading, parts: ObligationParts): Obligations {
  const { cans, hides, secrets, zones } = parts
  const shaped = hides.length > 0 || cans.some(({ rule }) => rule.answer || rule.hide)
  if (!shaped) return WHOLE
  ask.reading = reading
  const matching = cans.filter((rule) => canHolds(rule, ask, zones))
  const answer = matching.every(({ rule }) => rule.answer !== undefined)
    ? new Set(matching.flatMap(({ rule }) => rule.answer ?? []))
    : undefined
  // A rule that may hold for some items hides its keys in all of them.
  ask.reading = ask.itemwise ? 'open' : reading
  const hide = new Set<string>()
  for (const can of cans) {
    if (can.rule.hide === undefined || !canHolds(can, ask, zones)) continue
    for (const key of can.rule.hide) hide.add(key)
  }
  ask.reading = reading
  for (const cannot of hides) {
    if (!cannotMatches(cannot, ask, zones)) continue
    for (const key of cannot.rule.hide ?? []) hide.add(key)
  }
  const named = matching.flatMap(({ rule }) => rule.answer ?? [])
  const reveal = new Set(named.filter((key) => secrets.has(key) && !hide.has(key)))
  return { answer: answer?.difference(hide), hide, reveal }
}

/** Both must hold: what one does not show is not shown. */
export function joinObligations(a: Obligations, b: Obligations): Obligations {
  if (a === WHOLE && b === WHOLE) return WHOLE
  const answer = a.answer && b.answer ? a.answer.intersection(b.answer) : (a.answer ?? b.answer)
  return { answer, hide: a.hide.union(b.hide), reveal: a.reveal.intersection(b.reveal) }
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
