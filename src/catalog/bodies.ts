/** Bodies and queries as the catalog writes them, in the form that the request path reads. */

import type { AnswerSpec, BodySpec, KeySpec, Route, ValuePlace } from '../domain/catalog.ts'
import type { BodyText, KeyText, QueryKeyText, RouteText } from './catalog-shape.ts'

/** Everything a route says beside its paths. */
export type RouteParts = {
  query: ReadonlyMap<string, KeySpec>
  body: BodySpec
  answer: AnswerSpec
  way: Route['way']
}

type PlainBody = Exclude<BodySpec, { kind: 'choice' }>

const KEY_TYPES = ['string', 'number', 'boolean', 'list', 'object', 'any'] as const
const MULTIPART = 'multipart/form-data'
const NO_KEYS: ReadonlyMap<string, KeySpec> = new Map()

/** `number!` is a number that must be there. The shape has checked the words. */
function keySpec(source: KeyText | QueryKeyText): KeySpec {
  if (typeof source !== 'string') {
    const { type, required } = keySpec('type' in source ? (source.type ?? 'string') : 'string')
    const reads = 'reads' in source ? source.reads : undefined
    const only = typeof reads === 'object' ? Object.keys(reads) : source.only
    return {
      type,
      required: source.required ?? required,
      ...(only !== undefined && { only }),
      ...(reads !== undefined && { reads }),
    }
  }
  const word = source.replace('!', '')
  const type = KEY_TYPES.find((known) => known === word) ?? 'string'
  return { type, required: source.endsWith('!') }
}

export function querySpec(given: RouteText['query']): ReadonlyMap<string, KeySpec> {
  if (given === undefined) return NO_KEYS
  if (Array.isArray(given)) return new Map(given.map((key) => [key, keySpec('string')]))
  return new Map(Object.entries(given).map(([key, type]) => [key, keySpec(type)]))
}

/** Several kinds in one mapping are a choice by content type. `undefined`: the mapping says nothing. */
export function bodySpec(given: BodyText | undefined): BodySpec | undefined {
  if (given === undefined || given === 'none') return { kind: 'none' }
  if (given === 'json') return { kind: 'json' }
  const options: PlainBody[] = []
  if (given.keys !== undefined) {
    options.push({
      kind: 'fields',
      types: given.as === undefined ? ['json', 'form'] : [given.as].flat(),
      keys: new Map(Object.entries(given.keys).map(([key, type]) => [key, keySpec(type)])),
      optional: given.optional ?? false,
    })
  }
  if (given.json === true) options.push({ kind: 'json' })
  if (given.multipart !== undefined) {
    const { files = [], texts, fields = [], products = [] } = given.multipart
    options.push(
      texts === undefined
        ? { kind: 'multipart', files, fields, products }
        : { kind: 'parts', texts, fields },
    )
  }
  if (given.raw !== undefined) options.push({ kind: 'raw', types: given.raw })
  const [only, ...more] = options
  return more.length > 0 ? { kind: 'choice', of: options } : only
}

/**
 * The keys that a body under this content type is read by; empty for what streams past. Without a content type:
 * those of the plain form, or of the only one there is.
 */
export function bodyKeys(body: BodySpec, contentType?: string): ReadonlyMap<string, KeySpec> {
  const options = optionsOf(body)
  const fields = options.find((option) => option.kind === 'fields')
  const parts = options.find((option) => option.kind === 'parts')
  if (fields !== undefined && contentType !== MULTIPART) return fields.keys
  return parts === undefined ? NO_KEYS : partKeys(parts)
}

/** What a key of this name is, in each form of the body that has it. */
export function specsOf(key: string, body: BodySpec): readonly KeySpec[] {
  return [bodyKeys(body), bodyKeys(body, MULTIPART)].flatMap((keys) => keys.get(key) ?? [])
}

/** Every key that some form of the body is read by. */
export function allKeys(body: BodySpec): readonly string[] {
  return [...bodyKeys(body).keys(), ...bodyKeys(body, MULTIPART).keys()]
}

/** A text is seen as the list of its lines, a plain part as what it says. */
function partKeys({ texts, fields }: Extract<BodySpec, { kind: 'parts' }>): Map<string, KeySpec> {
  const keys = new Map<string, KeySpec>()
  for (const name of texts) keys.set(name, { type: 'list', required: false })
  for (const name of fields) keys.set(name, { type: 'string', required: false })
  return keys
}

export function bodyHas(body: BodySpec, kind: PlainBody['kind']): boolean {
  return optionsOf(body).some((option) => option.kind === kind)
}

function optionsOf(body: BodySpec): readonly PlainBody[] {
  return body.kind === 'choice' ? body.of : [body]
}

/** `body.devices[]`: a list; `path.prefix*`: the beginning of names. The shape has checked the form. */
export function parsePlace(source: string): { place: ValuePlace; list: boolean } {
  const dot = source.indexOf('.')
  const where = source.slice(0, dot)
  const list = source.endsWith('[]')
  const prefix = source.endsWith('*')
  const key = source.slice(dot + 1, list ? -2 : prefix ? -1 : undefined)
  return {
    place: {
      in: where === 'path' ? 'path' : where === 'query' ? 'query' : 'body',
      key,
      ...(prefix && { prefix }),
    },
    list,
  }
}
