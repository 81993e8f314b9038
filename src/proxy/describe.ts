/** From a matched route to the access requests that are decided and the one request that may be sent on. */

import type { AccessRequest, Resource, Value } from '../domain/access-request.ts'
import type { Catalog, Deed, FieldWord, Pattern, Route, ValuePlace } from '../domain/catalog.ts'
import type { DenyReason } from '../domain/decision.ts'
import type { Principal } from '../domain/principal.ts'
import { Problem } from '../domain/problem.ts'
import type { QueryEntry } from '../domain/target.ts'
import { readBody, type ReadBody } from './body.ts'
import { valuesOf, type Credential } from './credentials.ts'
import type { BodyGuard, Exchange } from './exchange.ts'
import type { IdResolver, Named, Resolved } from './ids.ts'
import { encodeQuery, encodeSegment } from './target.ts'

/** What a client asks for, in the gate's words. */
export type Asked = {
  route: Route
  /** Canonical target as decided: it is written to the log and, under the upstream pattern, sent on. */
  target: string
  requests: readonly AccessRequest[]
  /** Something it names could not be resolved: denied without asking the engine. */
  unresolved: Extract<DenyReason, 'outside_boundary' | 'outside_devices'> | undefined
  /** What the resource is that the path names, for the choice of the upstream credential. */
  resource: Resource
  upstream: { target: string; body: Buffer | undefined; contentType: string; guard: BodyGuard }
}

export type Describe = (
  exchange: Exchange,
  route: Route,
  params: Readonly<Record<string, string>>,
  credential: Credential,
  principal: Principal,
) => Promise<Asked>

/** @returns a function that throws Problem `unknown_query_key`, `invalid_body`, `no_deed` and what reading a body throws */
export function createDescribe(catalog: Catalog, ids: IdResolver): Describe {
  return async (exchange, route, params, credential, principal) => {
    const { query } = credential.target
    requireDeclared(query, route)
    const formKey = credential.inForm ? catalog.credentials.parameter : undefined
    const body = await readBody(exchange, route.body, formKey)
    const deeds = deedsOf(route, body, exchange)
    const inputs: Inputs = { params, query, body }

    const named: Named = pick(params)
    const place = await ids.resolve(named, principal)
    const others = await Promise.all(
      deviceIds(route, inputs).map((device) => ids.resolve({ ...named, device }, principal)),
    )
    const resources = others.length === 0 ? [place] : others
    const bad = [place, ...others].find((resolved) => resolved.kind === 'unresolved')
    const resource: Resource = place.kind === 'resource' ? place.resource : { type: 'none' }
    const decided = { ...params, ...idsOf(resource) }
    return {
      route,
      target: fill(route.pattern, decided) + encodeQuery(query),
      requests: resources.flatMap((resolved) =>
        deeds.map((deed) => toAccessRequest(route, deed, resolved, inputs)),
      ),
      unresolved: bad?.kind === 'unresolved' ? bad.reason : undefined,
      resource,
      upstream: {
        target: fill(route.upstream, decided) + encodeQuery(query),
        body: body.bytes,
        contentType: body.contentType,
        guard: body.guard,
      },
    }
  }
}

type Inputs = {
  params: Readonly<Record<string, string>>
  query: readonly QueryEntry[]
  body: ReadBody
}

/** Filters and sort keys are oracles: a key that the route does not declare is refused, not ignored. */
function requireDeclared(query: readonly QueryEntry[], route: Route): void {
  for (const { key, value } of query) {
    const spec = route.query.get(key)
    if (spec === undefined) throw new Problem('unknown_query_key')
    const decimal = spec.type !== 'number' || /^-?\d{1,15}(\.\d{1,15})?$/.test(value)
    const truth = spec.type !== 'boolean' || value === 'true' || value === 'false'
    if (!decimal || !truth) {
      throw new Problem('invalid_request', { says: 'A query value is of the wrong type.' })
    }
  }
}

/** The deeds a request asks for: by body keys, content type and `Accept`. Nothing asked for is no request. */
function deedsOf(route: Route, body: ReadBody, { raw }: Exchange): Deed[] {
  const accept = valuesOf(raw.rawHeaders, 'accept').map((value) => value.trim().toLowerCase())
  const byAccept = route.deeds.filter((deed) => deed.accept !== undefined)
  const special = byAccept.some((deed) => accept.includes(deed.accept ?? ''))
  const ambiguous = !special && byAccept.some((deed) => mentions(accept, deed.accept ?? ''))
  if (ambiguous || (special && accept.length > 1)) {
    throw new Problem('invalid_request', { says: 'Accept must name one media type here.' })
  }
  const deeds = route.deeds.filter(
    (deed) =>
      (deed.accept === undefined ? !special : accept.includes(deed.accept)) &&
      (deed.contentType === undefined || deed.contentType === body.contentType) &&
      (deed.keys.length === 0 || deed.keys.some((key) => Object.hasOwn(body.keys, key))),
  )
  if (deeds.length === 0 && route.kind.kind === 'upstream') throw new Problem('no_deed')
  return deeds
}

/** `Accept` lists and parameters are negotiated by the cloud in ways we cannot foresee. */
function mentions(accept: readonly string[], mediaType: string): boolean {
  return accept.some((value) => value.includes(mediaType))
}

function toAccessRequest(
  route: Route,
  deed: Deed,
  resolved: Resolved,
  inputs: Inputs,
): AccessRequest {
  const fields: Partial<Record<FieldWord, readonly string[]>> = {}
  for (const [word, place] of Object.entries(deed.fields)) {
    const value = valueAt(place, inputs)
    if (isFieldWord(word) && typeof value === 'string') fields[word] = [value]
  }
  const bodyKeys = deed.keys.filter((key) => Object.hasOwn(inputs.body.keys, key))
  const allKeys = deed.keys.length === 0 ? Object.keys(inputs.body.keys) : bodyKeys
  if (allKeys.length > 0) fields.body = allKeys

  const values: Record<string, Value> = {}
  for (const [name, places] of Object.entries(deed.values)) {
    const present = places.flatMap((place) => valueAt(place, inputs) ?? [])
    if (present.length > 1) {
      throw new Problem('invalid_body', { says: 'One value is given under two names.' })
    }
    const [value] = present
    if (value !== undefined) values[name] = value
  }
  const resource: Resource = resolved.kind === 'resource' ? resolved.resource : { type: 'none' }
  return {
    action: deed.action,
    resource,
    fields,
    values,
    ...(route.relation !== undefined && { relation: true as const }),
  }
}

function isFieldWord(word: string): word is FieldWord {
  return ['functions', 'variables', 'events', 'ledgers', 'body'].includes(word)
}

function valueAt(
  { in: where, key }: ValuePlace,
  { params, query, body }: Inputs,
): Value | undefined {
  switch (where) {
    case 'path':
      return params[key]
    case 'query':
      return query.find((entry) => entry.key === key)?.value
    case 'body':
      return Object.hasOwn(body.keys, key) ? body.keys[key] : undefined
  }
}

/** Every device that a query or body names beside the path. */
function deviceIds(route: Route, inputs: Inputs): string[] {
  return route.devices.flatMap(({ in: where, key, list }) => {
    const value = valueAt({ in: where, key }, inputs)
    if (value === undefined) return []
    const items: readonly Value[] = isList(value) ? value : [value]
    if (isList(value) !== list || items.some((item) => typeof item !== 'string')) {
      throw new Problem('invalid_request', { says: `"${key}" must name devices by id.` })
    }
    return items.flatMap((item) => (typeof item === 'string' ? item : []))
  })
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value)
}

function pick({ organization, product, device }: Readonly<Record<string, string>>): Named {
  return {
    ...(organization !== undefined && { organization }),
    ...(product !== undefined && { product }),
    ...(device !== undefined && { device }),
  }
}

function idsOf({ organization, product, device }: Resource): Readonly<Record<string, string>> {
  return {
    ...(organization !== undefined && { organization }),
    ...(product !== undefined && { product }),
    ...(device !== undefined && { device }),
  }
}

function fill(pattern: Pattern, params: Readonly<Record<string, string>>): string {
  let path = ''
  for (const segment of pattern.segments) {
    const value = 'literal' in segment ? segment.literal : params[segment.parameter]
    // Unresolved requests are denied; their target is for the log alone.
    path += `/${value === undefined ? '-' : encodeSegment(value)}`
  }
  return path
}
