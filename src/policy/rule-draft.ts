/** One rule as a policy file writes it, checked against the catalog once, whoever it will bind. */

import type { Action, Catalog, FieldWord } from '../domain/catalog.ts'
import type { EventSource, Hours, Limit } from '../domain/grant.ts'
import { fieldWords } from '../domain/words.ts'
import { expand, meaningOf, type Effect, type WordMeaning } from './action-words.ts'
import type { CatalogFacts } from './catalog-facts.ts'
import { type ConditionDraft, readConditions } from './condition-draft.ts'
import { attributeScope, valueScope } from './condition-scope.ts'
import { readHours } from './hours.ts'
import { readLimit } from './limit.ts'
import { guardrailKeys, ruleKeys } from './policy-shape.ts'
import { checkAnswerKeys, checkFieldWords, checkSources } from './rule-checks.ts'
import {
  decodeKeys,
  type FilePlace,
  mistakeAt,
  placeOf,
  within,
  type Decoded,
  type Part,
  type Report,
} from './report.ts'

/** Plain data: those of roles and guardrails travel from the loader's worker, for the API users of the store. */
export type RuleDraft = {
  effect: Effect
  words: readonly WordMeaning[]
  where?: ConditionDraft
  with?: ConditionDraft
  unless?: ConditionDraft
  fields?: Partial<Record<FieldWord, readonly string[]>>
  answer?: readonly string[]
  hide?: readonly string[]
  sources?: readonly EventSource[]
  when?: Hours
  limit?: Limit
  maxAgeMs?: number
  because?: string
  tell?: string
  id?: string
  except: readonly string[]
  /** File order: the deciding rule is the first. */
  place: FilePlace
  text: string
}

export type RuleReaderParts = { catalog: Catalog; facts: CatalogFacts; report: Report }

export type RuleKind = 'rule' | 'guardrail'

export function readRule(
  part: Part,
  kind: RuleKind,
  { catalog, facts, report }: RuleReaderParts,
): RuleDraft | undefined {
  const keys = kind === 'guardrail' ? guardrailKeys : ruleKeys
  const rule: Decoded<typeof guardrailKeys> | undefined = decodeKeys(keys, part, report)
  if (rule === undefined) return undefined
  const effect = effectOf(rule, part, kind, report)
  const named = effect === undefined ? undefined : rule[effect]
  if (effect === undefined || named === undefined) return undefined
  const words = named.map((word, index) => {
    const meaning = meaningOf(word, catalog)
    if (meaning.kind === 'mistake') mistakeAt(report, wordAt(part, effect, index), meaning.message)
    return meaning
  })
  const actions = expand(words, effect, false, catalog).flatMap((name): Action[] => {
    const action = catalog.actions.get(name)
    return action === undefined ? [] : [action]
  })
  if (actions.length === 0 && words.every(({ kind: meaning }) => meaning !== 'mistake')) {
    const says = 'grants nothing: secret and escalating actions must be named one by one'
    mistakeAt(report, within(part, effect), says)
  }
  checkWords(rule, effect, part, report)
  const templates = kind === 'guardrail' ? 'refused' : 'taken'
  const attributes = attributeScope(actions, facts, catalog, templates)
  const values = valueScope(actions, catalog, templates)
  return {
    effect,
    words,
    ...(rule.where && { where: readConditions(within(part, 'where'), attributes, report) }),
    ...(rule.with && { with: readConditions(within(part, 'with'), values, report) }),
    ...(rule.unless && { unless: readConditions(within(part, 'unless'), attributes, report) }),
    ...fieldsOf(rule, actions, facts, part, report),
    ...answersOf(rule, actions, facts, part, report),
    ...(rule.sources && { sources: checkSources(rule.sources, actions, part, report) }),
    ...(rule.when && whenOf(part, report)),
    ...(rule.limit && limitOf(part, report)),
    ...(rule.max_age !== undefined && { maxAgeMs: rule.max_age }),
    ...(rule.because && { because: rule.because }),
    ...(rule.tell && { tell: rule.tell }),
    ...(rule.id && { id: rule.id }),
    except: rule.except ?? [],
    place: placeOf(part),
    text: `${effect} ${named.join(', ')}`,
  }
}

function wordAt(part: Part, effect: Effect, index: number): Part {
  const list = within(part, effect)
  return Array.isArray(list.value) ? within(list, index) : list
}

function effectOf(
  rule: Decoded<typeof guardrailKeys>,
  part: Part,
  kind: RuleKind,
  report: Report,
): Effect | undefined {
  const said = typeof part.value === 'object' && !Array.isArray(part.value) ? part.value : {}
  const both = Object.hasOwn(said, 'can') && Object.hasOwn(said, 'cannot')
  if (both) mistakeAt(report, part, 'a rule is a can or a cannot, not both; make two rules')
  if (kind === 'guardrail' && Object.hasOwn(said, 'can')) {
    mistakeAt(
      report,
      within(part, 'can'),
      'a guardrail is a cannot; grants stand in roles and users',
    )
  }
  if (!Object.hasOwn(said, 'can') && !Object.hasOwn(said, 'cannot')) {
    mistakeAt(report, part, 'the rule names no actions; say can: or cannot:')
  }
  return rule.can === undefined ? rule.cannot && 'cannot' : 'can'
}

/** Words that mean nothing on this kind of rule. */
function checkWords(
  rule: Decoded<typeof guardrailKeys>,
  effect: Effect,
  part: Part,
  report: Report,
): void {
  if (effect === 'cannot') {
    if (rule.unless) {
      const says = 'unless stands on a can; on a cannot, put the condition into where'
      mistakeAt(report, within(part, 'unless'), says)
    }
    if (rule.answer) {
      const says = 'answer stands on a can; a cannot takes keys away with hide'
      mistakeAt(report, within(part, 'answer'), says)
    }
    if (rule.limit) mistakeAt(report, within(part, 'limit'), 'limit stands on a can')
    return
  }
  if (rule.tell && !rule.unless) {
    const says = 'tell on a can is sent when its unless applies; this rule has none'
    mistakeAt(report, within(part, 'tell'), says)
  }
}

function fieldsOf(
  rule: Decoded<typeof ruleKeys>,
  actions: readonly Action[],
  facts: CatalogFacts,
  part: Part,
  report: Report,
): Pick<RuleDraft, 'fields'> {
  const fields: Partial<Record<FieldWord, readonly string[]>> = {}
  for (const word of fieldWords) {
    const names = rule[word]
    if (names === undefined) continue
    checkFieldWords(word, names, actions, facts, within(part, word), report)
    fields[word] = [...new Set(names)].toSorted()
  }
  return Object.keys(fields).length === 0 ? {} : { fields }
}

function answersOf(
  rule: Decoded<typeof ruleKeys>,
  actions: readonly Action[],
  facts: CatalogFacts,
  part: Part,
  report: Report,
): Pick<RuleDraft, 'answer' | 'hide'> {
  const keysOf = (word: 'answer' | 'hide') => {
    const keys = rule[word]
    if (keys === undefined) return {}
    checkAnswerKeys(word, keys, actions, facts, within(part, word), report)
    return { [word]: [...new Set(keys)].toSorted() }
  }
  return { ...keysOf('answer'), ...keysOf('hide') }
}

function whenOf(part: Part, report: Report): Pick<RuleDraft, 'when'> {
  const when = readHours(within(part, 'when'), report)
  return when === undefined ? {} : { when }
}

function limitOf(part: Part, report: Report): Pick<RuleDraft, 'limit'> {
  const limit = readLimit(within(part, 'limit'), report)
  return limit === undefined ? {} : { limit }
}
