/** Finds the one credential of a request, in the places the cloud takes it, and takes it out. */

import type { CredentialPlaces, Method } from '../domain/catalog.ts'
import { Problem } from '../domain/problem.ts'
import type { CanonicalTarget, QueryEntry } from '../domain/target.ts'
import type { MaybePromise } from '../lib/maybe-promise.ts'
import type { Exchange, RawRequest } from './exchange.ts'
import { readForm } from './form.ts'

/** RFC 6750 §2.1 b64token, one space, the scheme as the cloud spells it. */
const BEARER = /^Bearer ([A-Za-z0-9\-._~+/]+=*)$/
const LONGEST_HEADER = 512

export type Credential = {
  /** Undefined: a header is there, but it is no bearer token. */
  token: string | undefined
  /** The target without the credential. */
  target: CanonicalTarget
  /** Form bodies hold their token among other keys: `describe` drops this key. */
  inForm: boolean
  /** It stood elsewhere, and a second one may stand in the form. */
  formUnread?: true
  /** Why it is not taken. Only who is observed is not refused with it. */
  flaw?: Problem
}

const NONE: readonly QueryEntry[] = []

/**
 * Who shows one in a place where it is taken is known, or refused, before a byte of the form is waited for.
 * Else the form is read, as of a caller whom nobody knows. @throws Problem `several_credentials`
 */
export function findCredential(
  exchange: Pick<Exchange, 'raw' | 'unknownBody'>,
  target: CanonicalTarget,
  places: CredentialPlaces,
): MaybePromise<Credential> {
  const { raw } = exchange
  const found = takeOne(raw, target, places, NONE)
  if (!places.form.includes(raw.method as Method) || !isForm(raw)) return found
  return found.flaw === undefined
    ? { ...found, formUnread: true }
    : takeFromForm(exchange, target, places)
}

async function takeFromForm(
  exchange: Pick<Exchange, 'raw' | 'unknownBody'>,
  target: CanonicalTarget,
  places: CredentialPlaces,
): Promise<Credential> {
  try {
    const form = readForm(await exchange.unknownBody())
    return takeOne(exchange.raw, target, places, credentialsIn(form, places))
  } catch (thrown) {
    if (!(thrown instanceof Problem) || thrown.code === 'several_credentials') throw thrown
    return { ...takeOne(exchange.raw, target, places, NONE), flaw: thrown }
  }
}

/**
 * What is wrong with a form whose token stands elsewhere; undefined: nothing.
 * @throws Problem `several_credentials`
 */
export async function flawOfForm(
  body: () => Promise<Buffer>,
  places: CredentialPlaces,
): Promise<Problem | undefined> {
  try {
    if (credentialsIn(readForm(await body()), places).length === 0) return undefined
  } catch (thrown) {
    if (thrown instanceof Problem) return thrown
    throw thrown
  }
  throw new Problem('several_credentials')
}

function credentialsIn(form: readonly QueryEntry[], { parameter }: CredentialPlaces): QueryEntry[] {
  return form.filter(({ key }) => key === parameter)
}

function takeOne(
  raw: RawRequest,
  target: CanonicalTarget,
  places: CredentialPlaces,
  inForm: readonly QueryEntry[],
): Credential {
  const method = raw.method as Method
  const headers = valuesOf(raw.rawHeaders, 'authorization')
  const inQuery = target.query.filter(({ key }) => key === places.parameter)
  const count = headers.length + inQuery.length + inForm.length
  if (count > 1) throw new Problem('several_credentials')
  const rest =
    inQuery.length === 0
      ? target
      : { ...target, query: target.query.filter(({ key }) => key !== places.parameter) }
  const [header] = headers
  const token = header === undefined ? (inQuery[0] ?? inForm[0])?.value : bearerOf(header)
  const found = { token, target: rest, inForm: inForm.length === 1 }
  if (count === 0) return { ...found, flaw: new Problem('missing_token') }
  if (inQuery.length === 0 || places.query.includes(method)) return found
  const says = 'A token in the query is not taken with this method.'
  return { ...found, flaw: new Problem('invalid_request', { says }) }
}

/** Every value of a header as it was received: Node keeps only the first of some. */
export function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const received = rawHeaders[i] ?? ''
    // Length first: this runs over every header, several times a request.
    if (received.length === name.length && received.toLowerCase() === name)
      values.push(rawHeaders[i + 1] ?? '')
  }
  return values
}

function bearerOf(header: string): string | undefined {
  return header.length > LONGEST_HEADER ? undefined : BEARER.exec(header)?.[1]
}

function isForm(raw: RawRequest): boolean {
  const [type = ''] = valuesOf(raw.rawHeaders, 'content-type')
  return /^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)
}
