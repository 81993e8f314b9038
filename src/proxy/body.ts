/** Request bodies as the catalog declares them: parsed strictly where they matter, guarded where they stream. */

import type { BodySpec } from '../domain/catalog.ts'
import { Problem } from '../domain/problem.ts'
import { isMapping, type Keys, readFields, readJson, refuse } from './body-fields.ts'
import { valuesOf } from './credentials.ts'
import type { BodyGuard, Exchange, RawRequest } from './exchange.ts'
import { readForm } from './form.ts'
import { FORM, isJson, mediaTypeOf } from './media-type.ts'
import { readParts } from './parts.ts'

export type ReadBody = {
  /** Media type in lower case without parameters; empty where there is no body. */
  contentType: string
  /** Top-level keys and values, for deeds and `with`; empty where the body is not a mapping. */
  keys: Keys
  /** What is sent on; undefined: nothing, or what streams. */
  bytes: Buffer | undefined
  /** The whole header under which it is sent on, where that is not `contentType`. */
  sentAs?: string
  guard: BodyGuard
}

/** Where a token may stand among a body's keys. */
export type CredentialKey = {
  name: string
  /** It was found there and is taken out; else the key is refused wherever the gate can see it. */
  taken: boolean
}

type PlainSpec = Exclude<BodySpec, { kind: 'choice' }>

const NONE: ReadBody = { contentType: '', keys: {}, bytes: undefined, guard: { kind: 'none' } }

/** @throws Problem `invalid_body`, `unsupported_media_type`, `payload_too_large` */
export function readBody(
  exchange: Exchange,
  spec: BodySpec,
  credential: CredentialKey,
): ReadBody | Promise<ReadBody> {
  return hasBody(exchange.raw) ? readPresent(exchange, spec, credential) : absent(spec)
}

async function readPresent(
  exchange: Exchange,
  spec: BodySpec,
  credential: CredentialKey,
): Promise<ReadBody> {
  const { raw } = exchange
  requireIdentity(raw)
  const { essence, boundary } = mediaTypeOf(raw)
  const chosen = choose(spec, essence)
  switch (chosen.kind) {
    case 'none':
      return nothingIn(await exchange.body(), essence, credential)
    case 'json':
      return wholeJson(await exchange.body(), essence, credential)
    case 'fields': {
      const taken = credential.taken ? credential.name : undefined
      const read = readFields(await exchange.body(), chosen, essence === FORM, taken)
      refuseCredential(read.keys, credential)
      return { ...NONE, contentType: essence, ...read }
    }
    case 'multipart':
      return {
        ...NONE,
        contentType: essence,
        guard: {
          kind: 'multipart',
          boundary: requireBoundary(boundary),
          files: chosen.files,
          fields: chosen.fields,
          products: chosen.products,
        },
      }
    case 'parts': {
      const parts = readParts(await exchange.body(), chosen, requireBoundary(boundary))
      refuseCredential(parts.keys, credential)
      return { ...NONE, contentType: essence, ...parts }
    }
    case 'raw':
      return { ...NONE, contentType: essence }
  }
}

function requireBoundary(boundary: string | undefined): string {
  return boundary ?? refuse('The multipart boundary is missing.')
}

/** RFC 9112 §6.3: a request has a body when its framing says so. */
function hasBody({ rawHeaders }: RawRequest): boolean {
  const [length = '0'] = valuesOf(rawHeaders, 'content-length')
  return length !== '0' || valuesOf(rawHeaders, 'transfer-encoding').length > 0
}

function absent(spec: BodySpec): ReadBody {
  const options = spec.kind === 'choice' ? spec.of : [spec]
  const optional = options.some(
    (option) => option.kind === 'none' || (option.kind === 'fields' && option.optional),
  )
  return optional ? NONE : refuse('This route needs a body.')
}

function requireIdentity({ rawHeaders }: RawRequest): void {
  const codings = valuesOf(rawHeaders, 'content-encoding')
  if (codings.some((coding) => coding.trim().toLowerCase() !== 'identity')) {
    throw new Problem('unsupported_media_type', { says: 'Encoded bodies are not taken.' })
  }
}

function choose(spec: BodySpec, type: string): PlainSpec {
  if (spec.kind === 'none') return spec
  const options = spec.kind === 'choice' ? spec.of : [spec]
  const chosen = options.find((option) => takes(option, type))
  if (chosen === undefined) throw new Problem('unsupported_media_type')
  return chosen
}

function takes(spec: PlainSpec, type: string): boolean {
  switch (spec.kind) {
    case 'none':
      return false
    case 'json':
      return isJson(type)
    case 'fields':
      return spec.types.some((kind) => (kind === 'json' ? isJson(type) : type === FORM))
    case 'multipart':
    case 'parts':
      return type === 'multipart/form-data'
    case 'raw':
      // A form may hold a token: it is never passed on unread.
      return type !== FORM && spec.types.includes(type)
  }
}

/** Clients send `{}` or an empty form where a route takes no body; anything more would go unseen. */
function nothingIn(body: Buffer, type: string, { name, taken }: CredentialKey): ReadBody {
  const empty =
    type === FORM
      ? readForm(body).every(({ key }) => taken && key === name)
      : ['', '{}'].includes(body.toString('latin1').trim())
  // Its bytes have been read: without these the streaming way would wait for them once more.
  return empty ? { ...NONE, bytes: Buffer.alloc(0) } : refuse('This route takes no body.')
}

function wholeJson(body: Buffer, contentType: string, credential: CredentialKey): ReadBody {
  const value = readJson(body)
  const keys = isMapping(value) ? value : {}
  refuseCredential(keys, credential)
  return { ...NONE, contentType, keys, bytes: Buffer.from(JSON.stringify(value)) }
}

/** The cloud might take it for one, and the gate has not (RFC 6750 §2). */
function refuseCredential(keys: Keys, { name }: CredentialKey): void {
  if (Object.hasOwn(keys, name)) refuse('A token is not taken in this body.')
}
