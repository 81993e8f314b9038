/** From rule drafts to the rules of one API user's grant: words expanded for it, templates filled with its attributes. */

import type { Condition, GrantRule } from '../domain/grant.ts'
import { expand } from './action-words.ts'
import type { ConditionDraft } from './condition-draft.ts'
import { fill, type Filling } from './condition-fill.ts'
import { SOURCES } from './policy-shape.ts'
import type { Part } from './report.ts'
import type { RuleDraft } from './rule-draft.ts'

export type FillParts = Filling & {
  /** Some device of the boundary is out of its reach. */
  limited: boolean
}

/** `undefined` where the words reach nothing for this API user. */
export function toGrantRule(draft: RuleDraft, parts: FillParts): GrantRule | undefined {
  const { catalog, limited } = parts
  const actions = expand(draft.words, draft.effect, limited, catalog)
  if (actions.length === 0) return undefined
  const filled = (condition: ConditionDraft, reads: 'attribute' | 'value') =>
    fill(condition, reads, parts)
  const conditions: Condition[] = []
  if (draft.where) conditions.push(filled(draft.where, 'attribute'))
  if (draft.with) conditions.push(filled(draft.with, 'value'))
  const [first, second] = conditions
  const condition = first && second ? { and: [first, second] } : first
  const { effect, fields, answer, hide, sources, when, limit, maxAgeMs, because, tell, id } = draft
  return {
    effect,
    actions,
    ...(condition && { condition }),
    ...(draft.unless && { unless: filled(draft.unless, 'attribute') }),
    ...(fields && { fields }),
    ...(answer && { answer }),
    ...(hide && { hide }),
    ...(sources && { sources }),
    ...(when && { when }),
    ...(limit && { limit }),
    ...(maxAgeMs !== undefined && { maxAgeMs }),
    ...(because && { because }),
    ...(tell && { tell }),
    ...(id && { id }),
    origin: { file: draft.place.file, line: draft.place.line, text: draft.text },
  }
}

/** A line of `scopes`: all deeds of the scope as of this catalog, events of every source, as the cloud means it. */
export function scopeRule(scope: string, deeds: readonly string[], part: Part): GrantRule {
  const { line } = part.source.at(part.path)
  return {
    effect: 'can',
    actions: deeds.toSorted(),
    sources: SOURCES.toSorted(),
    origin: { file: part.source.file, line, text: `scope ${scope}` },
  }
}
