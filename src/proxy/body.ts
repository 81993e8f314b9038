/** Request bodies as the catalog declares them: parsed strictly where they matter, guarded where they stream. */

import type { Value } from '../domain/access-request.ts'
import type { BodySpec, KeySpec } from '../domain/catalog.ts'
import { Problem } from '../domain/problem.ts'
import { JsonFault, parseStrictJson } from '../lib/strict-json.ts'
import { valuesOf } from './credentials.ts'
import type { BodyGuard, Exchange, RawRequest } from './exchange.ts'
import { readForm } from './form.ts'

export type ReadBody = {
  /** Media type in lower case without parameters; empty where there is no body. */
  contentType: string
  /** Top-level keys and values, for deeds and `with`; empty where the body is not a mapping. */
  keys: Readonly<Record<string, Value>>
  /** What is sent on; undefined: nothing, or what streams. */
  bytes: Buffer | undefined
  guard: BodyGuard
}

type PlainSpec = Exclude<BodySpec, { kind: 'choice' }>

const NONE: ReadBody = { contentType: '', keys: {}, bytes: undefined, guard: { kind: 'none' } }

/**
 * @param credentialKey form key that was the credential and is taken out; undefined where it was elsewhere
 * @throws Problem `invalid_body`, `unsupported_media_type`, `payload_too_large`
 */
export async function readBody(
  exchange: Exchange,
  spec: BodySpec,
  credentialKey: string | undefined,
): Promise<ReadBody> {
  const { raw } = exchange
  if (!hasBody(raw)) return absent(spec)
  requireIdentity(raw)
  const type = mediaType(raw)
  const chosen = choose(spec, type.essence)
  switch (chosen.kind) {
    case 'none':
      return nothingIn(await exchange.body(), type.essence, credentialKey)
    case 'json':
      return wholeJson(await exchange.body(), type.essence)
    case 'fields':
      return fields(await exchange.body(), chosen, type.essence, credentialKey)
    case 'multipart':
      return {
        ...NONE,
        contentType: type.essence,
        guard: {
          kind: 'multipart',
          boundary: type.boundary ?? refuse('The multipart boundary is missing.'),
          files: chosen.files,
          fields: chosen.fields,
        },
      }
    case 'raw':
      return { ...NONE, contentType: type.essence }
  }
}

/** RFC 9112 §6.3: a request has a body when its framing says so. */
function hasBody(raw: RawRequest): boolean {
  const [length = '0'] = valuesOf(raw.rawHeaders, 'content-length')
  return length !== '0' || valuesOf(raw.rawHeaders, 'transfer-encoding').length > 0
}

function absent(spec: BodySpec): ReadBody {
  const options = spec.kind === 'choice' ? spec.of : [spec]
  const optional = options.some(
    (option) => option.kind === 'none' || (option.kind === 'fields' && option.optional),
  )
  return optional ? NONE : refuse('This route needs a body.')
}

function requireIdentity(raw: RawRequest): void {
  const codings = valuesOf(raw.rawHeaders, 'content-encoding')
  if (codings.some((coding) => coding.trim().toLowerCase() !== 'identity')) {
    throw new Problem('unsupported_media_type', { says: 'Encoded bodies are not taken.' })
  }
}

const MEDIA_TYPE = /^\s*([\w.+-]+\/[\w.+-]+)\s*((?:;\s*[\w-]+=(?:"[^"\\]*"|[^\s";]+)\s*)*);?\s*$/

function mediaType(raw: RawRequest): { essence: string; boundary: string | undefined } {
  const headers = valuesOf(raw.rawHeaders, 'content-type')
  if (headers.length > 1) refuse('More than one content type.')
  const [header = ''] = headers
  if (header === '') return { essence: '', boundary: undefined }
  const parsed = MEDIA_TYPE.exec(header)
  if (parsed === null) throw new Problem('unsupported_media_type')
  const parameters = new Map<string, string>()
  for (const [, name = '', value = ''] of (parsed[2] ?? '').matchAll(
    /([\w-]+)=("[^"]*"|[^\s";]+)/g,
  )) {
    const key = name.toLowerCase()
    if (parameters.has(key)) refuse('A content type parameter appears twice.')
    parameters.set(key, value.replaceAll('"', ''))
  }
  if (!/^utf-?8$/i.test(parameters.get('charset') ?? 'utf-8')) {
    throw new Problem('unsupported_media_type', { says: 'Bodies must be UTF-8.' })
  }
  return { essence: (parsed[1] ?? '').toLowerCase(), boundary: parameters.get('boundary') }
}

function choose(spec: BodySpec, type: string): PlainSpec {
  if (spec.kind !== 'choice') {
    if (spec.kind !== 'none' && !takes(spec, type)) throw new Problem('unsupported_media_type')
    return spec
  }
  const chosen = spec.of.find((option) => takes(option, type))
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
      return type === 'multipart/form-data'
    case 'raw':
      return spec.types.includes(type)
  }
}

const FORM = 'application/x-www-form-urlencoded'

function isJson(type: string): boolean {
  return type === 'application/json' || /^application\/[\w.-]+\+json$/.test(type)
}

/** Clients send `{}` or an empty form where a route takes no body; anything more would go unseen. */
function nothingIn(body: Buffer, type: string, credentialKey: string | undefined): ReadBody {
  const rest = type === FORM ? readForm(body).filter(({ key }) => key !== credentialKey) : []
  const empty =
    type === FORM ? rest.length === 0 : ['', '{}'].includes(body.toString('latin1').trim())
  return empty ? NONE : refuse('This route takes no body.')
}

function wholeJson(body: Buffer, contentType: string): ReadBody {
  const value = strictJson(body)
  return {
    contentType,
    keys: isMapping(value) ? value : {},
    bytes: Buffer.from(JSON.stringify(value)),
    guard: { kind: 'none' },
  }
}

function fields(
  body: Buffer,
  spec: Extract<BodySpec, { kind: 'fields' }>,
  contentType: string,
  credentialKey: string | undefined,
): ReadBody {
  const form = contentType === FORM
  const keys = form ? formKeys(body, spec.keys, credentialKey) : jsonKeys(body)
  for (const [key, value] of Object.entries(keys)) {
    const known = spec.keys.get(key)
    if (known === undefined) refuse('The body holds a key this route does not take.')
    if (!fits(known, value, form)) refuse('A value of the body is of the wrong type.')
  }
  for (const [key, { required }] of spec.keys) {
    if (required && !Object.hasOwn(keys, key)) refuse('The body lacks a key this route needs.')
  }
  const empty = Object.keys(keys).length === 0
  if (empty && !spec.optional && !form) return { ...NONE, contentType, bytes: Buffer.from('{}') }
  return {
    contentType,
    keys,
    bytes: Buffer.from(form ? formText(keys) : JSON.stringify(keys)),
    guard: { kind: 'none' },
  }
}

function jsonKeys(body: Buffer): Record<string, Value> {
  if (body.length === 0) return {}
  const value = strictJson(body)
  return isMapping(value) ? value : refuse('The body must be a JSON object.')
}

/** `key[]=a&key[]=b` is a list where one is declared; nothing else may repeat or nest. */
function formKeys(
  body: Buffer,
  specs: ReadonlyMap<string, KeySpec>,
  credentialKey: string | undefined,
): Record<string, Value> {
  const keys: Record<string, Value> = {}
  for (const { key, value } of readForm(body)) {
    if (key === credentialKey) continue
    const list = key.endsWith('[]') ? key.slice(0, -2) : undefined
    if (list !== undefined && specs.get(list)?.type === 'list') {
      const before = Object.hasOwn(keys, list) ? keys[list] : []
      keys[list] = [
        ...(Array.isArray(before) ? before : refuse('A form field is repeated.')),
        value,
      ]
    } else {
      if (Object.hasOwn(keys, key)) refuse('A form field is repeated.')
      keys[key] = value
    }
  }
  return keys
}

function formText(keys: Readonly<Record<string, Value>>): string {
  const pairs = Object.entries(keys).flatMap(([key, value]) =>
    Array.isArray(value)
      ? value.map((item) => [`${key}[]`, String(item)] as const)
      : [[key, String(value)] as const],
  )
  return pairs
    .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`)
    .join('&')
}

/** A form has only text: numbers and booleans are checked as they are written. */
function fits({ type }: KeySpec, value: Value, form: boolean): boolean {
  switch (type) {
    case 'any':
      return true
    case 'string':
      return typeof value === 'string'
    case 'number':
      return form ? isDecimal(value) : typeof value === 'number' || value === null
    case 'boolean':
      return form ? value === 'true' || value === 'false' : typeof value === 'boolean'
    case 'list':
      return Array.isArray(value)
    case 'object':
      return isMapping(value)
  }
}

function isDecimal(value: Value): boolean {
  return typeof value === 'string' && /^-?\d{1,15}(\.\d{1,15})?$/.test(value)
}

function strictJson(body: Buffer): unknown {
  try {
    return parseStrictJson(body)
  } catch (cause) {
    if (cause instanceof JsonFault)
      throw new Problem('invalid_body', { says: cause.message, cause })
    throw cause
  }
}

function isMapping(value: unknown): value is Record<string, Value> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refuse(says: string): never {
  throw new Problem('invalid_body', { says })
}
