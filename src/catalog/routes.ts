/** Turns each route of the file, with all its forms, into routes of the catalog; every reference is checked. */

import type { AnswerSpec, KeySpec, Pattern, Relation, Route } from '../domain/catalog.ts'
import { answerSpec } from './answers.ts'
import { bodyHas, bodySpec, querySpec, type RouteParts } from './bodies.ts'
import type { CatalogText, RouteText } from './catalog-shape.ts'
import { buildDeeds } from './deeds.ts'
import { checkDevicePlaces, devicePlaces } from './device-places.ts'
import type { Grammars, Report } from './grammar.ts'
import { createOverlaps, type Overlaps } from './overlaps.ts'
import { parametersOf, parseForm, type Form } from './pattern.ts'
import { compileRelations, type Relations } from './relations.ts'

/** A route, and where in the file it stands: for mistakes that only all routes together show. */
export type PlacedRoute = { route: Route; path: readonly PropertyKey[] }

export function buildRoutes(file: CatalogText, grammars: Grammars, report: Report): PlacedRoute[] {
  const overlaps = createOverlaps(grammars)
  const relations = compileRelations(file, grammars, report)
  const routes = file.routes.flatMap((given, i) =>
    buildRoute(given, { file, grammars, overlaps, relations, report, path: ['routes', i] }),
  )
  for (const name of relations.unused()) report(['relations', name], 'no route has this relation')
  const refused = (file.refused ?? []).flatMap(({ why, routes: forms }, i) =>
    forms.flatMap((source, j) => {
      const path = ['refused', i, 'routes', j]
      const form = readForm(source, { grammars, overlaps, report, path })
      return (form?.variants ?? []).map((pattern) => ({
        path,
        route: {
          ...closed,
          ...identity(form, pattern),
          upstream: pattern,
          kind: { kind: 'refused' as const, why },
        },
      }))
    }),
  )
  return [...routes, ...refused]
}

const closed = {
  way: 'small',
  deeds: [],
  query: new Map<string, KeySpec>(),
  body: { kind: 'none' },
  answer: { kind: 'opaque' },
  devices: [],
} as const

type Surroundings = {
  file: CatalogText
  grammars: Grammars
  overlaps: Overlaps
  relations: Relations
  report: Report
  path: readonly PropertyKey[]
}

function buildRoute(given: RouteText, around: Surroundings): PlacedRoute[] {
  const { report, path } = around
  const common = commonParts(given, report, path)
  const first = readForm(given.route, { ...around, path: [...path, 'route'] })
  const others = [given.also ?? []]
    .flat()
    .map((source, i) => readForm(source, { ...around, path: [...path, 'also', i] }))
  const forms = [first, ...others].flatMap((form) => form ?? [])
  if (first === undefined || common === undefined) return []
  checkNames(given, forms, common, report, path)
  const devices = devicePlaces(given)
  return forms.flatMap((form) =>
    form.variants.flatMap((pattern, i) => {
      const upstream = upstreamOf(form, pattern, first, first.variants[i])
      const home = (upstream === pattern ? form : first).variants[0] ?? upstream
      const answer = answerOf(given, common, pattern, home, around)
      if (answer === undefined) return []
      const parts = { ...common, answer }
      const relation = relationOf(given, pattern, around)
      const route: Route = {
        ...identity(form, pattern),
        ...parts,
        upstream,
        kind:
          given.self === undefined ? { kind: 'upstream' } : { kind: 'self', answer: given.self },
        deeds: buildDeeds(given, pattern, parts, around),
        devices,
        ...(given.devices === 'all' && { reach: 'all' as const }),
        ...(relation !== undefined && { relation }),
      }
      return [{ path: [...path, 'route'], route }]
    }),
  )
}

function relationOf(
  { relation }: RouteText,
  pattern: Pattern,
  { relations, path }: Surroundings,
): Relation | undefined {
  if (relation === undefined || !parametersOf(pattern).includes(relation)) return undefined
  return relations.of(relation, pattern, [...path, 'relation'])
}

function readForm(
  source: string,
  { grammars, overlaps, report, path }: Omit<Surroundings, 'file' | 'relations'>,
): Form | undefined {
  const parsed = parseForm(source, grammars)
  if (!parsed.ok) {
    for (const message of parsed.mistakes) report(path, message)
    return undefined
  }
  for (const pattern of parsed.form.variants) {
    for (const message of overlaps.add(parsed.form.method, pattern)) report(path, message)
  }
  return parsed.form
}

function identity(form: Form | undefined, pattern: Pattern) {
  const method = form?.method ?? 'GET'
  return { id: `${method} ${pattern.text}`, method, pattern }
}

/**
 * The first form, where all it needs is known: a device's product comes from the directory. A form that would
 * lose a parameter of its own on the way stays what it is.
 */
function upstreamOf(
  form: Form,
  pattern: Pattern,
  first: Form,
  better: Pattern | undefined,
): Pattern {
  if (better === undefined || form.method !== first.method) return pattern
  const own = parametersOf(pattern)
  const needed = parametersOf(better)
  const had = (name: string) => own.includes(name) || (name === 'product' && own.includes('device'))
  const kept = (name: string) =>
    needed.includes(name) || ['organization', 'product', 'device'].includes(name)
  return needed.every(had) && own.every(kept) ? better : pattern
}

/** What all forms of a route have in common. */
type CommonParts = Omit<RouteParts, 'answer'>

function commonParts(
  given: RouteText,
  report: Report,
  path: readonly PropertyKey[],
): CommonParts | undefined {
  const body = bodySpec(given.body)
  const way = given.way ?? 'small'
  if (body === undefined) {
    report([...path, 'body'], 'says nothing; write "none" or what it holds')
    return undefined
  }
  const multipart = typeof given.body === 'object' ? given.body.multipart : undefined
  if (multipart?.texts !== undefined && multipart.files !== undefined) {
    report([...path, 'body', 'multipart'], 'is read whole for its "texts": it takes no "files"')
  }
  if (multipart?.texts !== undefined && multipart.products !== undefined) {
    report([...path, 'body', 'multipart'], 'is read whole for its "texts": it takes no "products"')
  }
  if ((bodyHas(body, 'multipart') || bodyHas(body, 'raw')) && way === 'small') {
    report([...path, 'route'], 'what streams needs "way: streaming"')
  }
  return { query: querySpec(given.query), body, way }
}

function answerOf(
  given: RouteText,
  { query, way }: CommonParts,
  pattern: Pattern,
  home: Pattern,
  { file, grammars, report, path }: Surroundings,
): AnswerSpec | undefined {
  const at = [...path, 'answer']
  const around = { file, grammars, query, pattern, home, report, path: at }
  const answer = answerSpec(given.answer, around)
  if (answer === undefined) report(at, 'must be one object, one list or one stream')
  if (answer?.kind !== 'stream') return answer
  if (way === 'small') report([...path, 'route'], 'what streams needs "way: streaming"')
  if (file.events === undefined) report(at, 'is a stream: say under "events" how its events look')
  return answer
}

/** What a route names must be there: parameters, query keys and body keys. */
function checkNames(
  given: RouteText,
  forms: readonly Form[],
  { query, body }: CommonParts,
  report: Report,
  path: readonly PropertyKey[],
): void {
  const inPath = new Set(forms.flatMap((f) => f.variants).flatMap(parametersOf))
  if (given.relation !== undefined && !inPath.has(given.relation)) {
    report([...path, 'relation'], `no parameter ":${given.relation}" in the path`)
  }
  const saysDevice = given.relation !== undefined || inPath.has('device')
  checkDevicePlaces(given, { query, body, saysDevice }, (at, message) =>
    report([...path, ...at], message),
  )
  for (const [key, spec] of Object.entries(Array.isArray(given.query) ? {} : (given.query ?? {}))) {
    if (typeof spec === 'string' || typeof spec.reads !== 'object' || spec.only === undefined)
      continue
    report([...path, 'query', key, 'only'], '"reads" says which values there are: leave this out')
  }
  const said = [given.action, given.deeds, given.self].filter((x) => x !== undefined).length
  if (said !== 1) report([...path, 'route'], 'needs exactly one of "action", "deeds" and "self"')
}
