/** Checks of a rule's field words, answer keys and sources against what each of its actions has. */

import type { Action, FieldWord } from '../domain/catalog.ts'
import type { EventSource } from '../domain/grant.ts'
import { didYouMean } from '../lib/nearest.ts'
import type { CatalogFacts } from './catalog-facts.ts'
import { mistakeAt, mistakeAtKey, within, type Part, type Report } from './report.ts'

/** Field words in which a trailing `*` means any rest. */
export const PREFIX_WORDS: ReadonlySet<FieldWord> = new Set(['events', 'variables'])

export function checkFieldWords(
  word: FieldWord,
  names: readonly string[],
  actions: readonly Action[],
  facts: CatalogFacts,
  part: Part,
  report: Report,
): void {
  const lacking = actions.find((action) => !action.fields.includes(word))
  if (lacking !== undefined) {
    const has = lacking.fields.length === 0 ? 'it has none' : `it has ${lacking.fields.join(', ')}`
    mistakeAtKey(report, part, `${lacking.name} is not narrowed by "${word}"; ${has}`)
  }
  for (const [index, name] of names.entries()) {
    const place = Array.isArray(part.value) ? within(part, index) : part
    if (name.startsWith('$')) {
      mistakeAt(report, place, 'templates stand in conditions only')
    }
    if (word === 'body') checkBodyKey(name, actions, facts, place, report)
    const star = name.indexOf('*')
    if (star < 0) continue
    if (!PREFIX_WORDS.has(word)) mistakeAt(report, place, `"${word}" takes exact names, no *`)
    else if (star < name.length - 1) mistakeAt(report, place, 'a * may stand only at the end')
  }
}

/** A mistyped key in a `cannot` would never forbid anything. */
function checkBodyKey(
  key: string,
  actions: readonly Action[],
  facts: CatalogFacts,
  part: Part,
  report: Report,
): void {
  const known = actions.map(({ name }) => facts.bodyKeys(name))
  if (actions.length === 0 || known.some((keys) => keys === undefined || keys.has(key))) return
  const hint = didYouMean(
    key,
    known.flatMap((keys) => [...(keys ?? [])]),
  )
  mistakeAt(report, part, `no request of these actions has a body key "${key}"${hint}`)
}

export function checkAnswerKeys(
  word: 'answer' | 'hide',
  keys: readonly string[],
  actions: readonly Action[],
  facts: CatalogFacts,
  part: Part,
  report: Report,
): void {
  for (const [index, key] of keys.entries()) {
    const place = Array.isArray(part.value) ? within(part, index) : part
    const lacking = actions.find((action) => facts.answerKeys(action)?.has(key) === false)
    if (lacking === undefined) continue
    const hint = didYouMean(key, facts.answerKeys(lacking) ?? [])
    mistakeAt(report, place, `the answer of ${lacking.name} has no key "${key}" (${word})${hint}`)
  }
}

export function checkSources(
  sources: readonly EventSource[],
  actions: readonly Action[],
  part: Part,
  report: Report,
): readonly EventSource[] {
  const lacking = actions.find(({ shape }) => shape !== 'stream')
  if (lacking !== undefined) {
    mistakeAtKey(report, within(part, 'sources'), `${lacking.name} has no events to be of a source`)
  }
  return [...new Set(sources)].toSorted()
}
