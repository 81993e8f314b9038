/** A catalog in hand for tests, and the published list of Particle's endpoints in rows of our own. */

import { readFileSync } from 'node:fs'
import { loadCatalog } from '../../src/catalog/load.ts'
import { createRouteTable, type RouteTable } from '../../src/catalog/route-table.ts'
import { readCatalog } from '../../src/catalog/shipped.ts'
import type { BodySpec, Catalog, Deed, Route } from '../../src/domain/catalog.ts'

export function particleCatalog(): Catalog {
  const loaded = readCatalog('particle')
  if (!loaded.ok) throw new Error(loaded.mistakes.map((m) => `${m.line} ${m.message}`).join('\n'))
  return loaded.catalog
}

/** Mistakes as `line: message`, in the file's order; a catalog that loads has none. */
export function mistakesOf(text: string): string[] {
  const loaded = loadCatalog(text, 'catalog.yaml')
  if (loaded.ok) return []
  return loaded.mistakes
    .toSorted((a, b) => a.line - b.line)
    .map(({ line, message }) => `${line}: ${message}`)
}

/** One documented request. `forms`: each path to the action (or actions) it must mean, `refused` or `self:…`. */
export type EndpointRow = {
  method: string
  forms: Record<string, string | string[]>
  scope: string | null
  query?: string[]
  body?: string[]
  files?: string[]
  contentType?: string
  accept?: string
  /** Body keys that the cloud takes and the gate does not: credentials. */
  undeclared?: string[]
}

export function endpointRows(): EndpointRow[] {
  const text = readFileSync(new URL('./particle-endpoints.jsonl', import.meta.url), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map((line): EndpointRow => JSON.parse(line))
}

const samples: Readonly<Record<string, string>> = {
  productIdOrSlug: '12345',
  orgIdOrSlug: 'acme',
  deviceId: '0123456789abcdef01234567',
  iccid: '8901410312345000001',
  version: '7',
  customerEmail: 'someone@example.com',
  username: 'someone+x1@api.example.com',
  key: 'LOG_LEVEL',
  eventPrefix: 'spark/status',
}

/** Decoded segments of a documented path, with a plausible value in each parameter. */
export function sampleSegments(
  path: string,
  given: Readonly<Record<string, string>> = {},
): string[] {
  return path
    .slice(1)
    .split('/')
    .map((part) => {
      if (!part.startsWith(':')) return part
      const name = part.slice(1)
      return given[name] ?? samples[name] ?? 'sample1'
    })
}

/** What the route is taken to mean, by the words of the catalog's types; no deed is an empty list. */
export function deedsAsked(
  route: Route,
  {
    body = [],
    files = [],
    contentType,
    accept,
  }: Pick<EndpointRow, 'body' | 'files' | 'contentType' | 'accept'>,
): Deed[] {
  const special = route.deeds.some((deed) => deed.accept !== undefined && deed.accept === accept)
  const whole = optionsOf(route.body).some(({ kind }) => kind === 'parts')
  const keys = contentType !== 'multipart/form-data' ? body : whole ? [...body, ...files] : []
  return route.deeds.filter(
    (deed) =>
      (deed.accept === undefined ? !special : deed.accept === accept) &&
      (deed.contentType === undefined || deed.contentType === contentType) &&
      (deed.keys.length === 0 || deed.keys.some((key) => keys.includes(key))),
  )
}

/** Every way in which the catalog means something else by these rows than they say. */
export function misclassified(catalog: Catalog, rows: readonly EndpointRow[]): string[] {
  const table = createRouteTable(catalog)
  return rows.flatMap((row) =>
    Object.entries(row.forms).flatMap(([path, expected]) => {
      const finding = misread(catalog, table, row, path, [expected].flat())
      return finding === undefined ? [] : [`${row.method} ${path}: ${finding}`]
    }),
  )
}

function misread(
  catalog: Catalog,
  table: RouteTable,
  row: EndpointRow,
  path: string,
  expected: readonly string[],
): string | undefined {
  const found = table.match(row.method, sampleSegments(path))
  if (found.kind !== 'route') return found.kind
  const { route } = found
  const meant = meaning(route, row)
  if (meant.join() !== expected.join())
    return `means ${meant.join(' + ')}, not ${expected.join(' + ')}`
  if (route.kind.kind !== 'upstream') return undefined
  for (const name of expected) {
    const action = catalog.actions.get(name)
    const scoped = row.scope === null || (action?.origin === 'cloud' && action.scope === row.scope)
    if (!scoped) return `${name} is of scope ${action?.scope}, not ${row.scope}`
  }
  const missing = undeclaredOf(route, row)
  return missing.length > 0 ? `undeclared: ${missing.join(', ')}` : undefined
}

function meaning(route: Route, row: EndpointRow): string[] {
  switch (route.kind.kind) {
    case 'refused':
      return ['refused']
    case 'self':
      return [`self:${route.kind.answer}`]
    case 'upstream':
      return deedsAsked(route, row).map(({ action }) => action)
  }
}

function undeclaredOf(route: Route, row: EndpointRow): string[] {
  const query = (row.query ?? []).filter((key) => !route.query.has(key))
  const body = (row.body ?? []).filter((key) => !takesKey(route.body, key, row.contentType))
  const files = (row.files ?? []).filter((name) => !takesFile(route.body, name))
  const excused = new Set(row.undeclared)
  const wrongly = (row.undeclared ?? []).filter((key) => takesKey(route.body, key, row.contentType))
  return [...query, ...body.filter((key) => !excused.has(key)), ...files, ...wrongly]
}

export function takesKey(body: BodySpec, key: string, contentType: string | undefined): boolean {
  return optionsOf(body).some((option) => {
    if (contentType === 'multipart/form-data') {
      if (option.kind === 'multipart') return [...option.fields, ...option.products].includes(key)
      return option.kind === 'parts' && option.fields.includes(key)
    }
    if (option.kind === 'json') return true
    const type = contentType === 'application/x-www-form-urlencoded' ? 'form' : 'json'
    return option.kind === 'fields' && option.types.includes(type) && option.keys.has(key)
  })
}

export function takesFile(body: BodySpec, name: string): boolean {
  return optionsOf(body).some((option) => {
    if (option.kind === 'parts') return option.texts.includes(name)
    if (option.kind !== 'multipart') return false
    return option.files.some((file) =>
      file.endsWith('*') ? name.startsWith(file.slice(0, -1)) : file === name,
    )
  })
}

function optionsOf(body: BodySpec) {
  return body.kind === 'choice' ? body.of : [body]
}
