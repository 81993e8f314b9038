/** Turns each route of the file, with all its forms, into routes of the catalog; every reference is checked. */

import type { DevicePlace, KeySpec, Pattern, Route } from '../domain/catalog.ts'
import { didYouMean } from '../lib/nearest.ts'
import {
  answerSpec,
  bodyHas,
  bodyKeys,
  bodySpec,
  parsePlace,
  querySpec,
  type RouteParts,
} from './bodies.ts'
import type { CatalogText, RouteText } from './catalog-shape.ts'
import { buildDeeds } from './deeds.ts'
import type { Grammars, Report } from './grammar.ts'
import { createOverlaps, type Overlaps } from './overlaps.ts'
import { parametersOf, parseForm, type Form } from './pattern.ts'

/** A route, and where in the file it stands: for mistakes that only all routes together show. */
export type PlacedRoute = { route: Route; path: readonly PropertyKey[] }

export function buildRoutes(file: CatalogText, grammars: Grammars, report: Report): PlacedRoute[] {
  const overlaps = createOverlaps(grammars)
  const routes = file.routes.flatMap((given, i) =>
    buildRoute(given, { file, grammars, overlaps, report, path: ['routes', i] }),
  )
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
  report: Report
  path: readonly PropertyKey[]
}

function buildRoute(given: RouteText, around: Surroundings): PlacedRoute[] {
  const { report, path } = around
  const parts = partsOf(given, report, path)
  const first = readForm(given.route, { ...around, path: [...path, 'route'] })
  const others = [given.also ?? []]
    .flat()
    .map((source, i) => readForm(source, { ...around, path: [...path, 'also', i] }))
  const forms = [first, ...others].flatMap((form) => form ?? [])
  if (first === undefined || parts === undefined) return []
  checkNames(given, forms, parts, report, path)
  const devices = devicePlaces(given)
  return forms.flatMap((form) =>
    form.variants.map((pattern, i) => ({
      path: [...path, 'route'],
      route: {
        ...identity(form, pattern),
        ...parts,
        upstream: upstreamOf(form, pattern, first, first.variants[i]),
        kind:
          given.self === undefined ? { kind: 'upstream' } : { kind: 'self', answer: given.self },
        deeds: buildDeeds(given, pattern, parts, around),
        devices,
        ...(given.relation !== undefined && { relation: given.relation }),
      } satisfies Route,
    })),
  )
}

function readForm(
  source: string,
  { grammars, overlaps, report, path }: Omit<Surroundings, 'file'>,
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

function partsOf(
  given: RouteText,
  report: Report,
  path: readonly PropertyKey[],
): RouteParts | undefined {
  const body = bodySpec(given.body)
  const answer = answerSpec(given.answer)
  const way = given.way ?? 'small'
  if (body === undefined) report([...path, 'body'], 'says nothing; write "none" or what it holds')
  if (answer === undefined) {
    report([...path, 'answer'], 'must be one object or one list')
  }
  if (body === undefined || answer === undefined) return undefined
  const streams = bodyHas(body, 'multipart') || bodyHas(body, 'raw') || answer.kind === 'stream'
  if (streams && way === 'small') {
    report([...path, 'route'], 'what streams needs "way: streaming"')
  }
  return { query: querySpec(given.query), body, answer, way }
}

function devicePlaces(given: RouteText): DevicePlace[] {
  return (given.devices ?? []).flatMap((source) => {
    const { place, list } = parsePlace(source)
    return place.in === 'path' ? [] : [{ in: place.in, key: place.key, list }]
  })
}

/** What a route names must be there: parameters, query keys and body keys. */
function checkNames(
  given: RouteText,
  forms: readonly Form[],
  { query, body }: RouteParts,
  report: Report,
  path: readonly PropertyKey[],
): void {
  const inPath = new Set(forms.flatMap((f) => f.variants).flatMap(parametersOf))
  const keys = bodyKeys(body)
  if (given.relation !== undefined && !inPath.has(given.relation)) {
    report([...path, 'relation'], `no parameter ":${given.relation}" in the path`)
  }
  for (const [i, source] of (given.devices ?? []).entries()) {
    const { place, list } = parsePlace(source)
    const at = [...path, 'devices', i]
    if (place.in === 'path') report(at, 'a device in the path is found without being listed here')
    const known = place.in === 'query' ? query : keys
    const spec = known.get(place.key)
    // A whole JSON body declares no keys: its devices are looked for and may be missing.
    if (place.in === 'body' && bodyHas(body, 'json') && keys.size === 0) continue
    if (place.in !== 'path' && spec === undefined) {
      report(
        at,
        `no ${place.in} key "${place.key}" is declared${didYouMean(place.key, known.keys())}`,
      )
    }
    if (spec !== undefined && (spec.type === 'list') !== list) {
      report(at, `"${place.key}" is ${list ? 'no list' : 'a list: write [] after it'}`)
    }
  }
  const said = [given.action, given.deeds, given.self].filter((x) => x !== undefined).length
  if (said !== 1) report([...path, 'route'], 'needs exactly one of "action", "deeds" and "self"')
}
