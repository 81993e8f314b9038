/** What a request may mean, deed by deed, and each deed as the access request that is decided. */

import type { AccessRequest, Value } from '../domain/access-request.ts'
import type { Deed, FieldWord, Route, ValuePlace } from '../domain/catalog.ts'
import { Problem } from '../domain/problem.ts'
import type { QueryEntry } from '../domain/target.ts'
import { fieldWords } from '../domain/words.ts'
import type { ReadBody } from './body.ts'
import { valuesOf } from './credentials.ts'
import type { RawRequest } from './exchange.ts'
import type { Resolved } from './ids.ts'
import { mediaTypeOf } from './media-type.ts'

/** Everything of a request that a catalog's places point into. */
export type Inputs = {
  params: Readonly<Record<string, string>>
  query: readonly QueryEntry[]
  body: ReadBody
}

/** Without a body the header counts only where it is what tells deeds apart; it is not sent on otherwise. */
export function contentTypeOf(route: Route, body: ReadBody, raw: RawRequest): string {
  const told = body.contentType === '' && route.deeds.some((deed) => deed.contentType !== undefined)
  if (!told) return body.contentType
  const { essence } = mediaTypeOf(raw)
  return route.deeds.some((deed) => deed.contentType === essence) ? essence : ''
}

/**
 * By body keys, content type and `Accept`. Nothing asked for is no request.
 * @throws Problem `no_deed`, `invalid_request` for an `Accept` that the cloud may read otherwise
 */
export function deedsOf(route: Route, body: ReadBody, raw: RawRequest): Deed[] {
  const byAccept = route.deeds.filter((deed) => deed.accept !== undefined)
  const special = byAccept.length === 0 ? undefined : specialAccept(byAccept, raw)
  const deeds = route.deeds.filter(
    (deed) =>
      deed.accept === special &&
      (deed.contentType === undefined || deed.contentType === body.contentType) &&
      (deed.keys.length === 0 || deed.keys.some((key) => Object.hasOwn(body.keys, key))),
  )
  if (deeds.length === 0 && route.kind.kind === 'upstream') throw new Problem('no_deed')
  return deeds
}

/**
 * The media type that a deed is chosen by, undefined where none is named.
 * `Accept` lists and parameters are negotiated by the cloud in ways we cannot foresee.
 */
function specialAccept(byAccept: readonly Deed[], { rawHeaders }: RawRequest): string | undefined {
  const accept = valuesOf(rawHeaders, 'accept').map((value) => value.trim().toLowerCase())
  const named = byAccept.find((deed) => accept.includes(deed.accept ?? ''))?.accept
  const alone = accept.length === 1 && named !== undefined
  const mentioned = byAccept.some((deed) =>
    accept.some((value) => value.includes(deed.accept ?? '')),
  )
  if (mentioned && !alone) {
    throw new Problem('invalid_request', { says: 'Accept must name one media type here.' })
  }
  return named
}

/** An access request but for what it is about. */
export type Question = Omit<AccessRequest, 'resource' | 'relation'>

/** @throws Problem `invalid_body` */
export function questionOf(route: Route, deed: Deed, inputs: Inputs): Question {
  const fields: Partial<Record<FieldWord, readonly string[]>> = {}
  for (const [word, place] of Object.entries(deed.fields)) {
    const value = valueAt(place, inputs)
    if (isFieldWord(word) && typeof value === 'string') {
      fields[word] = [place.prefix === true ? `${value}*` : value]
    }
  }
  const bodyKeys = bodyKeysOf(route, deed, inputs.body)
  if (bodyKeys.length > 0) fields.body = bodyKeys

  const values: Record<string, Value> = {}
  for (const [name, places] of Object.entries(deed.values)) {
    const present = places
      .map((place) => valueAt(place, inputs))
      .filter((value) => value !== undefined)
    if (present.length > 1) {
      throw new Problem('invalid_body', { says: 'One value is given under two names.' })
    }
    const [value] = present
    if (value !== undefined) values[name] = value
  }
  return { action: deed.action, fields, values }
}

/** What is unresolved is denied; in the record it stands as nothing of the fleet. */
export function toAccessRequest(question: Question, resolved: Resolved): AccessRequest {
  if (resolved.kind === 'unresolved') return { ...question, resource: { type: 'none' } }
  const { resource, relation } = resolved
  return relation === undefined ? { ...question, resource } : { ...question, resource, relation }
}

/** Every device of a body times every name in it: some 100 ms of deciding at most. */
const MAX_QUESTIONS = 15_000
/** About one device, which is decided in one turn of the event loop. */
const MAX_OF_ONE = 1000

/** @throws Problem `payload_too_large` where to decide would keep everybody else waiting */
export function bounded(requests: readonly AccessRequest[]): readonly AccessRequest[] {
  let questions = 0
  for (const request of requests) {
    const ofOne = questionsOf(request)
    questions += ofOne <= MAX_OF_ONE ? ofOne : Number.POSITIVE_INFINITY
  }
  if (questions <= MAX_QUESTIONS) return requests
  throw new Problem('payload_too_large', { says: 'Too many devices and keys are named at once.' })
}

/** How many combinations of its names are asked. */
export function questionsOf({ fields }: Pick<AccessRequest, 'fields'>): number {
  let combinations = 1
  for (const word in fields) {
    combinations *= isFieldWord(word) ? (fields[word]?.length ?? 1) : 1
  }
  return combinations
}

/** A deed's own keys, and those that belong to no deed: what goes unnamed here would go upstream unasked. */
function bodyKeysOf(route: Route, deed: Deed, { keys }: ReadBody): string[] {
  const present = Object.keys(keys)
  if (deed.keys.length === 0) return present
  const claimed = new Set(route.deeds.flatMap((other) => other.keys))
  return present.filter((key) => deed.keys.includes(key) || !claimed.has(key))
}

const words: readonly string[] = fieldWords

function isFieldWord(word: string): word is FieldWord {
  return words.includes(word)
}

export function valueAt(
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
