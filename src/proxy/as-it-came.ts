/** An observed request as it goes up: canonical target, headers that pass, body as it came, one credential. */

import { Problem } from '../domain/problem.ts'
import type { CanonicalTarget } from '../domain/target.ts'
import { Secret } from '../lib/secret.ts'
import { valuesOf, type Credential } from './credentials.ts'
import type { Authorization, Exchange, PassedRequest } from './exchange.ts'
import { forwardableHeaders, type ForwardList } from './headers.ts'
import { refuseOwnToken, refuseOwnTokenIn } from './own-tokens.ts'
import { encodeQuery, encodeSegment } from './target.ts'

type Passing = {
  /** `client`: its own, as it is found in the request. */
  authorization: Extract<Authorization, { of: 'gate' }> | { of: 'client' }
  forwarded: ForwardList
  /** Form key that a token may stand under. */
  parameter: string
}

/** What is no larger is looked into before anything of it is sent. */
const smallBytes = 65_536

/** @throws Problem `invalid_token` where a token of the gate's own would go up, and what reading a body threw */
export async function asItCame(
  exchange: Exchange,
  credential: Credential,
  { authorization, forwarded, parameter }: Passing,
): Promise<PassedRequest> {
  const { raw } = exchange
  const target = pathAsItCame(credential.target) + encodeQuery(credential.target.query)
  refuseOwnToken(target)
  const headers = forwardableHeaders(raw, forwarded)
  const codings = valuesOf(raw.rawHeaders, 'content-encoding')
  if (codings.length > 0) headers['content-encoding'] = codings.join(', ')
  for (const value of Object.values(headers)) refuseOwnToken(value)
  const read = await bodyOf(exchange)
  const body = read && credential.inForm ? withoutKey(read, parameter) : read
  if (body !== undefined) refuseOwnToken(body.toString('latin1'))
  return {
    ...{ method: raw.method, target, headers, body },
    authorization: authorization.of === 'gate' ? authorization : ownOf(exchange, credential),
  }
}

/** Canonical, without the query. */
function pathAsItCame({ segments }: CanonicalTarget): string {
  return `/${segments.map(encodeSegment).join('/')}`
}

/** For the record of what no route describes: a token may stand in a path too, and no id is as long as one. */
export function loggedPath({ segments }: CanonicalTarget, token: string | undefined): string {
  const isSecret = (segment: string) => segment.length >= 32 || segment === token
  const shown = segments.map((segment) => (isSecret(segment) ? '[masked]' : encodeSegment(segment)))
  return `/${shown.join('/')}`
}

/** A token of the cloud wherever it stood goes up as the one bearer; what is no bearer token goes up as it is. */
function ownOf({ raw }: Exchange, { token }: Credential): Authorization {
  const [header] = valuesOf(raw.rawHeaders, 'authorization')
  const value = token === undefined ? header : `Bearer ${token}`
  if (value === undefined) return { of: 'client', value: undefined }
  refuseOwnTokenIn(value)
  return { of: 'client', value: new Secret(value) }
}

/** Undefined: it streams, and is watched on its way, or there is none. */
async function bodyOf(exchange: Exchange): Promise<Buffer | undefined> {
  const read = await exchange.bodyIfRead()
  if (read !== undefined || !isSmall(exchange)) return read
  try {
    return await exchange.body()
  } catch (thrown) {
    // Nothing of it has been read: its stated length was too much.
    if (Problem.from(thrown).code === 'payload_too_large') return undefined
    throw thrown
  }
}

function isSmall({ raw }: Exchange): boolean {
  const [length = '0'] = valuesOf(raw.rawHeaders, 'content-length')
  const [type = ''] = valuesOf(raw.rawHeaders, 'content-type')
  const isEncoded = valuesOf(raw.rawHeaders, 'content-encoding').length > 0
  return (
    length !== '0' && Number(length) <= smallBytes && !/^\s*multipart\//i.test(type) && !isEncoded
  )
}

/** The rest of the form stays byte for byte. */
function withoutKey(form: Buffer, key: string): Buffer {
  const fields = form.toString('latin1').split('&')
  return Buffer.from(fields.filter((field) => nameOf(field) !== key).join('&'), 'latin1')
}

function nameOf(field: string): string {
  const [name = ''] = field.split('=', 1)
  return decodeURIComponent(name.replaceAll('+', '%20'))
}
