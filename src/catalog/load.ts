/** A catalog file, read whole: either everything in it holds together, or all its mistakes at once. */

import { createHash } from 'node:crypto'
import type { Attribute, Catalog, Lookup, ResourceSpec } from '../domain/catalog.ts'
import type { Mistake } from '../lib/mistake.ts'
import { didYouMean } from '../lib/nearest.ts'
import { decode } from '../lib/shape.ts'
import { readYaml } from '../lib/yaml.ts'
import { buildActions } from './actions.ts'
import { catalogShape, type CatalogText } from './catalog-shape.ts'
import {
  compileGrammars,
  FLEET_TYPES,
  type FleetType,
  type Grammars,
  type Report,
  resourceGrammars,
} from './grammar.ts'
import { inOwnWords, parametersOf, parsePath } from './pattern.ts'
import { buildRoutes } from './routes.ts'

export type LoadedCatalog = { ok: true; catalog: Catalog } | { ok: false; mistakes: Mistake[] }

/** `file` is only for the places of mistakes. */
export function loadCatalog(text: string, file: string): LoadedCatalog {
  const yaml = readYaml(text, file)
  if (!yaml.ok) return yaml
  const decoded = decode(catalogShape, yaml.file)
  if (!decoded.ok) return decoded
  const mistakes = new Map<string, Mistake>()
  const report: Report = (path, message) => {
    const place = yaml.file.at(path)
    mistakes.set(`${place.line}:${place.column} ${message}`, { file, ...place, message })
  }
  const catalog = assemble(decoded.value, hashOf(text), report)
  return mistakes.size > 0 ? { ok: false, mistakes: [...mistakes.values()] } : { ok: true, catalog }
}

function assemble(given: CatalogText, hash: string, report: Report): Catalog {
  const grammars = compileGrammars(given, report)
  const placed = buildRoutes(given, grammars, report)
  const { actions, scopes } = buildActions(given, placed, report)
  const resources = {
    organization: resourceSpec('organization', given, grammars, report),
    product: resourceSpec('product', given, grammars, report),
    device: resourceSpec('device', given, grammars, report),
  }
  for (const { type, index, prefix } of grammars.unusedAliasPrefixes()) {
    report(['resources', type, 'alias', 'on', index], `no route begins with ${prefix}`)
  }
  checkErrorBody(given, report)
  const { parameter, query = [], form = [] } = given.credentials
  const { source, api = [], cloud = [] } = given.events ?? {}
  return {
    name: given.name,
    hash,
    resources,
    credentials: { parameter, query, form },
    errors: { body: { ...given.errors.body } },
    ...(source !== undefined && { events: { source, api, cloud } }),
    classes: new Map(Object.entries(given.classes)),
    actions,
    scopes,
    routes: placed.map(({ route }) => route),
    forwardHeaders: lower(given.headers?.forward),
    returnHeaders: lower(given.headers?.return),
  }
}

function resourceSpec(
  type: FleetType,
  given: CatalogText,
  grammars: Grammars,
  report: Report,
): ResourceSpec {
  const spec = given.resources[type]
  const path = ['resources', type]
  const lookup = lookupOf(type, given, grammars, report)
  const root = spec.lookup?.at
  const attributes = new Map<string, Attribute>(
    Object.entries(spec.attributes ?? {}).map(([name, { from, ...said }]) => [
      name,
      // An item of a list is the thing itself; the look-up's answer may have it under a key.
      root === undefined
        ? { name, from, ...said }
        : { name, from: `${root}.${from}`, item: from, ...said },
    ]),
  )
  return {
    one: spec.one,
    many: spec.many,
    ...resourceGrammars(spec, path, report),
    attributes,
    keys: spec.keys ?? [],
    ...(lookup !== undefined && { lookup }),
  }
}

/** Patterns and picks are turned to the gate's own words, whatever the catalog calls its resources. */
function lookupOf(
  type: FleetType,
  { resources }: CatalogText,
  grammars: Grammars,
  report: Report,
): Lookup | undefined {
  const { lookup } = resources[type]
  if (lookup === undefined) return undefined
  const path = ['resources', type, 'lookup']
  const root = lookup.at === undefined ? '' : `${lookup.at}.`
  const words = new Map(FLEET_TYPES.map((known) => [resources[known].one, known]))
  const plain = (key: 'path' | 'bare', source: string): string => {
    const parsed = parsePath(source, grammars)
    if (!parsed.ok) for (const message of parsed.mistakes) report([...path, key], message)
    const pattern = parsed.ok ? parsed.variants.at(-1) : undefined
    if (pattern === undefined) return ''
    if (!parametersOf(pattern).includes(type)) {
      report([...path, key], `must name the ${resources[type].one}`)
    }
    return inOwnWords(pattern)
  }
  if (lookup.bare !== undefined && type !== 'device') {
    report([...path, 'bare'], 'only a device is looked up without its surroundings')
  }
  if (lookup.pick['id'] === undefined) report([...path, 'pick'], 'needs an "id"')
  const pick = Object.entries(lookup.pick).map(([key, from]) => {
    const known = ['id', 'slug', ...words.keys()]
    if (!known.includes(key))
      report([...path, 'pick', key], `unknown pick "${key}"${didYouMean(key, known)}`)
    return [words.get(key) ?? key, root + from] as const
  })
  return {
    path: plain('path', lookup.path),
    ...(lookup.bare !== undefined && { bare: plain('bare', lookup.bare) }),
    pick: Object.fromEntries(pick),
    absent: lookup.absent,
  }
}

const ERROR_WORDS = ['$error', '$says', '$code', '$tell']

function checkErrorBody({ errors }: CatalogText, report: Report): void {
  for (const [key, value] of Object.entries(errors.body)) {
    if (!value.startsWith('$') || ERROR_WORDS.includes(value)) continue
    report(['errors', 'body', key], `must be plain text or one of ${ERROR_WORDS.join(', ')}`)
  }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function lower(names: readonly string[] = []): string[] {
  return names.map((name) => name.toLowerCase())
}
