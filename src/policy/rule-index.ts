/** The `can` rules of one action, found by the names and values that they ask for instead of one after the other. */

import type { FieldWord } from '../domain/catalog.ts'
import type { Condition, GrantRule } from '../domain/grant.ts'
import { fieldWords } from '../domain/words.ts'
import { OPEN, type Ask } from './ask.ts'
import { PREFIX_WORDS } from './rule-checks.ts'
import type { CompiledRule } from './rule-match.ts'

export type RuleIndex = {
  /** The first rule, by position, that `holds`. */
  first(ask: Ask, holds: (rule: CompiledRule) => boolean): CompiledRule | undefined
  /** All that `hold`, by position. */
  every(ask: Ask, holds: (rule: CompiledRule) => boolean): readonly CompiledRule[]
  readonly all: readonly CompiledRule[]
}

/** What an indexed rule surely needs: one of these names, or one of these attribute or request values. */
type Key =
  | { kind: 'field'; word: FieldWord; values: readonly unknown[] }
  | { kind: 'attribute'; name: string; values: readonly unknown[] }

type Shelf = { key: Key; rules: Map<unknown, CompiledRule[]> }

/** Below this many rules a walk is as fast as a look-up. */
const WORTH_INDEXING = 8

export function indexRules(rules: readonly CompiledRule[]): RuleIndex {
  const rest: CompiledRule[] = []
  const shelves = new Map<string, Shelf>()
  for (const compiled of rules) {
    const key = rules.length < WORTH_INDEXING ? undefined : keyOf(compiled.rule)
    if (key === undefined) {
      rest.push(compiled)
      continue
    }
    const name = key.kind === 'field' ? `field ${key.word}` : `attribute ${key.name}`
    const shelf = shelves.get(name) ?? { key, rules: new Map() }
    shelves.set(name, shelf)
    for (const value of key.values) {
      const same: CompiledRule[] | undefined = shelf.rules.get(value)
      if (same === undefined) shelf.rules.set(value, [compiled])
      else same.push(compiled)
    }
  }
  const shelved = [...shelves.values()]
  // With open facts or names anything may match, and every rule has to be seen.
  const isWalked = (ask: Ask) => shelved.length === 0 || ask.itemwise || ask.reading === 'open'

  return {
    all: rules,
    first(ask, holds) {
      if (isWalked(ask)) return rules.find(holds)
      let found = rest.find(holds)
      for (const { key, rules: byValue } of shelved) {
        for (const value of valuesIn(ask, key)) {
          const candidates = byValue.get(value) ?? []
          const first = candidates.find(holds)
          if (first && (found === undefined || first.position < found.position)) found = first
        }
      }
      return found
    },
    every(ask, holds) {
      if (isWalked(ask)) return rules.filter(holds)
      // A rule stands once for each of its values, and several of them may be the resource's.
      const found = new Set(rest.filter(holds))
      for (const { key, rules: byValue } of shelved) {
        for (const value of valuesIn(ask, key)) {
          for (const rule of byValue.get(value) ?? []) if (holds(rule)) found.add(rule)
        }
      }
      return [...found].toSorted((a, b) => a.position - b.position)
    },
  }
}

function valuesIn(ask: Ask, key: Key): readonly unknown[] {
  if (key.kind === 'field') {
    const name = ask.names[key.word]
    return name === undefined ? [] : [name]
  }
  const value = ask.attribute(key.name)
  if (value === OPEN || value === undefined) return []
  return Array.isArray(value) ? value : [value]
}

function keyOf({ fields, condition }: GrantRule): Key | undefined {
  for (const word of fieldWords) {
    const names = fields?.[word]
    if (names === undefined) continue
    if (PREFIX_WORDS.has(word) && names.some((name) => name.endsWith('*'))) continue
    return { kind: 'field', word, values: names }
  }
  return condition === undefined ? undefined : keyOfCondition(condition)
}

function keyOfCondition(condition: Condition): Key | undefined {
  if ('and' in condition) {
    for (const inner of condition.and) {
      const key = keyOfCondition(inner)
      if (key !== undefined) return key
    }
    return undefined
  }
  if (!('attribute' in condition)) return undefined
  const { attribute: name, test } = condition
  if (test.op === '$eq') return { kind: 'attribute', name, values: [test.value] }
  if (test.op === '$in' || test.op === '$any' || test.op === '$all') {
    return { kind: 'attribute', name, values: test.values }
  }
  return undefined
}
