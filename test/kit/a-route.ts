/** A small cloud of our own: a catalog, routes and access requests, for the tests of the request path. */

import type { BodySpec, Catalog, Deed, Pattern, Route } from '../../src/domain/catalog.ts'

export const mine = 'aaaaaaaaaaaaaaaaaaaaaaaa'
export const other = 'bbbbbbbbbbbbbbbbbbbbbbbb'

const grammars: Readonly<Record<string, RegExp>> = {
  product: /^(?:\d+|[a-z][a-z0-9-]*)$/u,
  device: /^[A-Za-z0-9_-]{1,64}$/u,
}

export function aPattern(text: string): Pattern {
  const segments = text
    .slice(1)
    .split('/')
    .map((part) => {
      const parameter = part.slice(1)
      if (!part.startsWith(':')) return { literal: part }
      return { parameter, grammar: grammars[parameter] ?? /^[^\0]+$/u }
    })
  return { text, segments }
}

export function aDeed(action: string, more: Partial<Deed> = {}): Deed {
  return { action, keys: [], fields: {}, values: {}, ...more }
}

/** `GET /v1/products/:product/devices/:device`, read as `devices:get` unless told otherwise. */
export function aRoute(
  form = 'GET /v1/products/:product/devices/:device',
  more: Partial<Route> & { sent?: string } = {},
): Route {
  const [method = '', path = ''] = form.split(' ')
  const { sent, ...rest } = more
  return {
    id: form,
    method: method as Route['method'],
    pattern: aPattern(path),
    upstream: aPattern(sent ?? path),
    way: 'small',
    kind: { kind: 'upstream' },
    deeds: [aDeed('devices:get')],
    query: new Map(),
    body: { kind: 'none' },
    answer: { kind: 'object', at: '', secrets: [] },
    devices: [],
    ...rest,
  }
}

type FieldsBody = Extract<BodySpec, { kind: 'fields' }>

/** Key types as a catalog writes them: `number!` is required. */
export function fieldsBody(keys: Record<string, string>, optional = false): FieldsBody {
  return {
    kind: 'fields',
    types: ['json', 'form'],
    optional,
    keys: new Map(
      Object.entries(keys).map(([key, source]) => [
        key,
        { type: source.replace('!', '') as 'string', required: source.endsWith('!') },
      ]),
    ),
  }
}

const resource = (one: string, id: RegExp, fold: 'lower' | 'none', alias: RegExp) => ({
  ...{ one, many: `${one}s`, id, fold, alias, attributes: new Map(), keys: [] },
})

export function aCatalog(routes: readonly Route[] = [aRoute()]): Catalog {
  return {
    name: 'small-cloud',
    hash: '0'.repeat(64),
    resources: {
      organization: resource('organization', /^[0-9a-f]{8}$/u, 'none', /^[a-z]+$/u),
      product: resource('product', /^\d+$/u, 'none', /^[a-z][a-z0-9-]*$/u),
      device: resource('device', /^[0-9a-f]{24}$/u, 'lower', /^[A-Za-z0-9_-]{1,64}$/u),
    },
    credentials: { parameter: 'access_token', query: ['GET'], form: ['POST', 'PUT'] },
    errors: { body: { error: '$error' } },
    classes: new Map(),
    actions: new Map(),
    scopes: new Map(),
    routes,
    forwardHeaders: ['accept'],
    returnHeaders: [],
  }
}
