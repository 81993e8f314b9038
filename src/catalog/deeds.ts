/** What one route may mean: its deeds, each with the places of its names and values. */

import type {
  AttributeType,
  Deed,
  FieldWord,
  KeySpec,
  Pattern,
  ValuePlace,
} from '../domain/catalog.ts'
import { didYouMean } from '../lib/nearest.ts'
import { allKeys, bodyKeys, parsePlace, type RouteParts } from './bodies.ts'
import type { CatalogText, DeedText, RouteText } from './catalog-shape.ts'
import type { Report } from './grammar.ts'
import { parametersOf } from './pattern.ts'
import { nameWords } from '../domain/words.ts'

type Surroundings = { file: CatalogText; report: Report; path: readonly PropertyKey[] }

export function buildDeeds(
  given: RouteText,
  pattern: Pattern,
  parts: RouteParts,
  { file, report, path }: Surroundings,
): Deed[] {
  const single = given.action === undefined ? [] : [{ action: given.action }]
  return (given.deeds ?? single).map((deed: DeedText, i): Deed => {
    const here = given.deeds === undefined ? path : [...path, 'deeds', i]
    if (!Object.hasOwn(file.actions, deed.action)) {
      const hint = didYouMean(deed.action, Object.keys(file.actions))
      report([...here, 'action'], `unknown action "${deed.action}"${hint}`)
    }
    const keys = deed.keys ?? []
    // Parts of an upload that streams past have no keys here: a condition on one could never see it.
    const known = bodyKeys(parts.body, deed.content_type)
    for (const [j, key] of keys.entries()) {
      if (known.has(key)) continue
      const hint = didYouMean(key, known.keys())
      report([...here, 'keys', j], `no body key "${key}" is declared${hint}`)
    }
    const check = (word: 'fields' | 'values', name: string, place: ValuePlace) => {
      const own = Object.hasOwn(deed[word] ?? {}, name)
      const at = [...(own ? here : path), word, name]
      checkPlace(place, given, parts, own ? [...known.keys()] : allKeys(parts.body), at, report)
    }
    return {
      action: deed.action,
      keys,
      ...(deed.content_type !== undefined && { contentType: deed.content_type }),
      ...(deed.accept !== undefined && { accept: deed.accept }),
      fields: fieldsOf({ ...given.fields, ...deed.fields }, pattern, (place, word) =>
        check('fields', word, place),
      ),
      values: valuesOf({ ...given.values, ...deed.values }, keys, known, pattern, (place, name) =>
        check('values', name, place),
      ),
    }
  })
}

/** The type of a deed's value at a place; `undefined`: objects and the like, on which no condition can be written. */
export function typeAt(
  place: ValuePlace,
  { contentType }: Pick<Deed, 'contentType'>,
  { query, body }: RouteParts,
): AttributeType | undefined {
  if (place.in === 'path') return 'string'
  const spec = (place.in === 'query' ? query : bodyKeys(body, contentType)).get(place.key)
  return spec === undefined ? undefined : typeOf(spec)
}

function typeOf({ type }: KeySpec): AttributeType | undefined {
  switch (type) {
    case 'string':
    case 'number':
    case 'boolean':
      return type
    case 'list':
      return 'strings'
    case 'object':
    case 'any':
      return undefined
  }
}

function fieldsOf(
  given: NonNullable<RouteText['fields']>,
  pattern: Pattern,
  check: (place: ValuePlace, word: FieldWord) => void,
): Deed['fields'] {
  const fields: Partial<Record<FieldWord, ValuePlace>> = {}
  for (const word of nameWords) {
    const source = given[word]
    if (source === undefined) continue
    const { place } = parsePlace(source)
    check(place, word)
    if (stands(place, pattern)) fields[word] = place
  }
  return fields
}

/** What is named, and every body key of the deed that a condition can be written on, under its own name. */
function valuesOf(
  given: NonNullable<RouteText['values']>,
  keys: readonly string[],
  known: ReadonlyMap<string, KeySpec>,
  pattern: Pattern,
  check: (place: ValuePlace, name: string) => void,
): Deed['values'] {
  const values: Record<string, ValuePlace[]> = {}
  const named = new Set<string>()
  for (const [name, sources] of Object.entries(given)) {
    const places = sources.map((source) => parsePlace(source).place)
    for (const place of places) {
      check(place, name)
      if (place.in === 'body') named.add(place.key)
    }
    const standing = places.filter((place) => stands(place, pattern))
    if (standing.length > 0) values[name] = standing
  }
  for (const [key, spec] of known) {
    const asked = keys.length === 0 || keys.includes(key)
    const free = !named.has(key) && values[key] === undefined
    if (asked && free && typeOf(spec) !== undefined) values[key] = [{ in: 'body', key }]
  }
  return values
}

/** A path place counts only in the forms that have the parameter. */
function stands(place: ValuePlace, pattern: Pattern): boolean {
  return place.in !== 'path' || parametersOf(pattern).includes(place.key)
}

function checkPlace(
  place: ValuePlace,
  given: RouteText,
  { query }: RouteParts,
  bodyKeysSeen: readonly string[],
  at: readonly PropertyKey[],
  report: Report,
): void {
  if (place.in === 'path') {
    const text = [given.route, given.also ?? []].flat().join(' ')
    const names = [...text.matchAll(/:([A-Za-z0-9_]+)/g)].map(([, name = '']) => name)
    if (!names.includes(place.key)) {
      report(at, `no parameter ":${place.key}" in the path${didYouMean(place.key, names)}`)
    }
    return
  }
  const known = place.in === 'query' ? [...query.keys()] : bodyKeysSeen
  if (known.includes(place.key)) return
  report(at, `no ${place.in} key "${place.key}" is declared${didYouMean(place.key, known)}`)
}
