/** From a matched route to the access requests that are decided and the one request that may be sent on. */

import type { AccessRequest, Resource } from '../domain/access-request.ts'
import type { Catalog, Pattern, Route } from '../domain/catalog.ts'
import type { DenyReason } from '../domain/decision.ts'
import type { Principal } from '../domain/principal.ts'
import { Problem } from '../domain/problem.ts'
import type { QueryEntry } from '../domain/target.ts'
import { readBody } from './body.ts'
import { isDecimal } from './body-fields.ts'
import type { Credential } from './credentials.ts'
import { contentTypeOf, deedsOf, toAccessRequest, type Inputs } from './deeds.ts'
import type { BodyGuard, Exchange } from './exchange.ts'
import type { IdResolver, Named, Resolved } from './ids.ts'
import { namedDevices, requireAgreement } from './named-devices.ts'
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

const NO_DEVICE: Resolved = { kind: 'unresolved', reason: 'outside_devices' }

/** @returns a function that throws Problem `unknown_query_key`, `invalid_body`, `no_deed` and what reading a body throws */
export function createDescribe(catalog: Catalog, ids: IdResolver): Describe {
  return async (exchange, route, params, credential, principal) => {
    const { query } = credential.target
    requireDeclared(query, route)
    const { parameter } = catalog.credentials
    const read = await readBody(exchange, route.body, { name: parameter, taken: credential.inForm })
    const body = { ...read, contentType: contentTypeOf(route, read, exchange.raw) }
    const deeds = deedsOf(route, body, exchange.raw)
    const inputs: Inputs = { params, query, body }

    const named: Named = pick(params)
    const spec = catalog.resources.device
    const devices = namedDevices(route, inputs, spec)
    requireAgreement(named, devices, spec)
    const place = await ids.resolve(named, principal)
    const others = await Promise.all(
      devices.map(async (device) =>
        device === undefined ? NO_DEVICE : ids.resolve({ ...named, device }, principal),
      ),
    )
    const resources = others.length === 0 ? [place] : others
    const bad = [place, ...others].find((resolved) => resolved.kind === 'unresolved')
    const resource: Resource = place.kind === 'resource' ? place.resource : { type: 'none' }
    const decided = { ...params, ...idsOf(resource) }
    // A path with a hole in it is for the log alone: what is unresolved is denied.
    const filled = (pattern: Pattern) => fill(pattern, decided, bad === undefined)
    return {
      route,
      target: filled(route.pattern) + encodeQuery(query),
      requests: resources.flatMap((resolved) =>
        deeds.map((deed) => toAccessRequest(route, deed, resolved, inputs)),
      ),
      unresolved: bad?.kind === 'unresolved' ? bad.reason : undefined,
      resource,
      upstream: {
        target: filled(route.upstream) + encodeQuery(query),
        body: body.bytes,
        contentType: body.contentType,
        guard: body.guard,
      },
    }
  }
}

/** Filters and sort keys are oracles: a key that the route does not declare is refused, not ignored. */
function requireDeclared(query: readonly QueryEntry[], route: Route): void {
  for (const { key, value } of query) {
    const spec = route.query.get(key)
    if (spec === undefined) throw new Problem('unknown_query_key')
    const decimal = spec.type !== 'number' || isDecimal(value)
    const truth = spec.type !== 'boolean' || value === 'true' || value === 'false'
    if (!decimal || !truth || spec.only?.includes(value) === false) {
      throw new Problem('invalid_request', { says: 'A query value is of the wrong type.' })
    }
  }
  for (const [name, { required }] of route.query) {
    if (required && !query.some(({ key }) => key === name)) {
      throw new Problem('invalid_request', { says: 'A query parameter is missing.' })
    }
  }
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

/** @throws Problem `internal` where a part of what is sent upstream would be missing */
function fill(pattern: Pattern, params: Readonly<Record<string, string>>, whole: boolean): string {
  let path = ''
  for (const segment of pattern.segments) {
    const value = 'literal' in segment ? segment.literal : params[segment.parameter]
    if (value === undefined && whole) {
      throw new Problem('internal', { cause: `nothing to fill ${pattern.text} with` })
    }
    path += `/${value === undefined ? '-' : encodeSegment(value)}`
  }
  return path
}
