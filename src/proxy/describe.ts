/** From a matched route to the access requests that are decided and the one request that may be sent on. */

import { canonicalId } from '../domain/canonical-id.ts'
import type { AccessRequest, Resource } from '../domain/access-request.ts'
import type { Catalog, Pattern, Route } from '../domain/catalog.ts'
import type { DenyReason } from '../domain/decision.ts'
import type { Principal } from '../domain/principal.ts'
import { Problem } from '../domain/problem.ts'
import type { QueryEntry } from '../domain/target.ts'
import { readBody, type ReadBody } from './body.ts'
import { isDecimal } from './body-fields.ts'
import type { Credential } from './credentials.ts'
import {
  bounded,
  contentTypeOf,
  deedsOf,
  questionOf,
  toAccessRequest,
  type Inputs,
  type Question,
} from './deeds.ts'
import type { BodyGuard, Exchange } from './exchange.ts'
import type { IdResolver, Named, Resolved } from './ids.ts'
import { namedDevices, requireAgreement } from './named-devices.ts'
import { otherDevices } from './other-devices.ts'
import { refuseMisplaced, refuseMisplacedIn } from './own-tokens.ts'
import type { Relate } from './relations.ts'
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

export type Describe<Who = Principal> = (
  exchange: Exchange,
  route: Route,
  params: Readonly<Record<string, string>>,
  credential: Credential,
  principal: Who,
) => Promise<Asked>

const NO_OTHERS: readonly Resolved[] = []

/** @returns a function that throws Problem `unknown_query_key`, `invalid_body`, `no_deed`, `misplaced_token` and what reading a body throws */
export function createDescribe<Who = Principal>(
  catalog: Catalog,
  ids: IdResolver<Who>,
  relate: Relate<Who>,
): Describe<Who> {
  /** A product in an upload comes after the decision. Whose it is nobody can be asked then: its id must be in reach as it stands. */
  function guarded(guard: BodyGuard, principal: Who): BodyGuard {
    if (guard.kind !== 'multipart' || guard.products.length === 0) return guard
    const isInReach = (product: string) =>
      canonicalId(catalog.resources.product, product) === product &&
      ids.isInReach({ type: 'product', product }, principal)
    return { ...guard, isInReach }
  }

  return async (exchange, route, params, credential, principal) => {
    const { query } = credential.target
    requireDeclared(query, route)
    const { parameter } = catalog.credentials
    const read = await readBody(exchange, route.body, { name: parameter, taken: credential.inForm })
    refuseOwnTokens(params, query, read)
    const contentType = contentTypeOf(route, read, exchange.raw)
    const body = contentType === read.contentType ? read : { ...read, contentType }
    const inputs: Inputs = { params, query, body }
    const questions = deedsOf(route, body, exchange.raw).map((deed) =>
      questionOf(route, deed, inputs),
    )

    const named: Named = pick(params)
    const spec = catalog.resources.device
    const { ids: devices, reach } = namedDevices(route, inputs, spec)
    requireAgreement(named, devices, spec)
    const place = await ids.resolve(named, principal)
    const { relation, method } = route
    const found =
      relation === undefined || place.kind === 'unresolved'
        ? place
        : await relate(
            { relation, method },
            params,
            place.resource,
            actionsOf(questions),
            principal,
          )
    const subject = reach === 'all' ? everyDeviceOf(found) : found
    const others =
      devices.length === 0 ? NO_OTHERS : await otherDevices(devices, place, ids, principal)
    // Naming a device narrows nothing: what is done to the place is decided on the place as well.
    const asksPlace = ({ action }: Question) =>
      reach === 'all' || others.length === 0 || catalog.actions.get(action)?.onDevice === false
    const bad = [subject, ...others].find(isBad)
    // What is sent on is about the place that the path names, also where a device in it is decided.
    const resource: Resource = place.kind === 'resource' ? place.resource : { type: 'none' }
    const { type: _, ...ownIds } = resource
    const decided = { ...params, ...ownIds }
    // A path with a hole in it is for the log alone: what is unresolved is denied.
    const filled = (pattern: Pattern) =>
      fill(pattern, decided, bad === undefined) + encodeQuery(query)
    const target = filled(route.pattern)
    return {
      route,
      target,
      requests: bounded([
        ...questions.filter(asksPlace).map((question) => toAccessRequest(question, subject)),
        ...others.flatMap((other) => questions.map((question) => toAccessRequest(question, other))),
      ]),
      unresolved: bad?.reason,
      resource,
      upstream: {
        target: route.upstream.text === route.pattern.text ? target : filled(route.upstream),
        body: body.bytes,
        contentType: body.sentAs ?? body.contentType,
        guard: guarded(body.guard, principal),
      },
    }
  }
}

/** Before anything is asked of the cloud or written down. @throws Problem `misplaced_token` */
function refuseOwnTokens(
  params: Readonly<Record<string, string>>,
  query: readonly QueryEntry[],
  { bytes }: ReadBody,
): void {
  for (const name in params) refuseMisplaced(params[name] ?? '')
  for (const { value } of query) refuseMisplaced(value)
  if (bytes !== undefined) refuseMisplacedIn(bytes)
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

function actionsOf(questions: readonly Question[]): string[] {
  return questions.map(({ action }) => action)
}

/** Named too little to be about some devices: it is about all that the place holds. */
function everyDeviceOf(place: Resolved): Resolved {
  return place.kind === 'resource' ? { ...place, relation: 'all' } : place
}

function isBad(resolved: Resolved): resolved is Resolved & { kind: 'unresolved' } {
  return resolved.kind === 'unresolved'
}

function pick({ organization, product, device }: Readonly<Record<string, string>>): Named {
  const named: Named = {}
  if (organization !== undefined) named.organization = organization
  if (product !== undefined) named.product = product
  if (device !== undefined) named.device = device
  return named
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
