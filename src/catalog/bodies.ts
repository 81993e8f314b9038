/** Bodies, queries and answers as the catalog writes them, in the form that the request path reads. */

import type { AnswerSpec, BodySpec, KeySpec, Route, ValuePlace } from '../domain/catalog.ts'
import type { AnswerText, BodyText, KeyText, RouteText } from './catalog-shape.ts'

/** Everything a route says beside its paths. */
export type RouteParts = {
  query: ReadonlyMap<string, KeySpec>
  body: BodySpec
  answer: AnswerSpec
  way: Route['way']
}

type PlainBody = Exclude<BodySpec, { kind: 'choice' }>

const KEY_TYPES = ['string', 'number', 'boolean', 'list', 'object', 'any'] as const

/** `number!` is a number that must be there. The shape has checked the words. */
export function keySpec(source: KeyText): KeySpec {
  if (typeof source !== 'string') {
    return { type: 'string', required: source.required ?? false, only: source.only }
  }
  const word = source.replace('!', '')
  const type = KEY_TYPES.find((known) => known === word) ?? 'string'
  return { type, required: source.endsWith('!') }
}

export function querySpec(given: RouteText['query']): ReadonlyMap<string, KeySpec> {
  if (given === undefined) return new Map()
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
    const { files = [], fields = [] } = given.multipart
    options.push({ kind: 'multipart', files, fields })
  }
  if (given.raw !== undefined) options.push({ kind: 'raw', types: given.raw })
  const [only, ...more] = options
  return more.length > 0 ? { kind: 'choice', of: options } : only
}

/** The keys of a body that is read key by key; empty for all others. */
export function bodyKeys(body: BodySpec): ReadonlyMap<string, KeySpec> {
  const options = body.kind === 'choice' ? body.of : [body]
  for (const option of options) if (option.kind === 'fields') return option.keys
  return new Map()
}

export function bodyHas(body: BodySpec, kind: PlainBody['kind']): boolean {
  const options = body.kind === 'choice' ? body.of : [body]
  return options.some((option) => option.kind === kind)
}

/** `.` is the root. `undefined`: both an object and a list, or neither. */
export function answerSpec(given: AnswerText | undefined): AnswerSpec | undefined {
  if (given === undefined || given === 'object') return { kind: 'object', at: '', secrets: [] }
  if (given === 'list') return { kind: 'list', at: '', item: 'none', secrets: [] }
  if (given === 'stream' || given === 'opaque') return { kind: given }
  const { object, list, secrets = [], item } = given
  if (object !== undefined && list !== undefined) return undefined
  if (list !== undefined) return { kind: 'list', at: root(list), item: item ?? 'none', secrets }
  const at = root(object ?? '.')
  return { kind: 'object', at, secrets, ...(item !== undefined && { item }) }
}

function root(at: string): string {
  return at === '.' ? '' : at
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
