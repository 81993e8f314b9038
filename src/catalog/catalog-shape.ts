/** How a catalog file is written: the shape alone. What its words mean together is checked in `load.ts`. */

import { fieldWords, methods } from '../domain/words.ts'
import { flag, integer, mapping, text, textList, z } from '../lib/shape.ts'

const ATTRIBUTE_TYPES = ['string', 'number', 'boolean', 'time', 'strings'] as const

/** Larger pages are a slip of the pen. */
const MAX_PAGE = 100_000

const oneOrMore = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1)])

const word = () => text().regex(/^[A-Za-z][A-Za-z0-9_]*$/, 'must be a plain word')
const endpoint = () =>
  text().regex(
    /^(GET|HEAD|POST|PUT|PATCH|DELETE) \/\S*$/,
    'must be a method and a path, such as GET /v1/devices/:device',
  )
const mediaType = () =>
  text().regex(/^[a-z0-9.+-]+\/[a-z0-9.+-]+$/, 'must be a media type in lower case')

const keyWord = () =>
  text().regex(
    /^(string|number|boolean|list|object|any)!?$/,
    'must be string, number, boolean, list, object or any, with a ! where it is required',
  )

/** `number!` is a number that must be there; `only` lists the texts that are taken. */
const keyType = () =>
  z.union([keyWord(), mapping({ only: textList(), required: flag().optional() })])

/** In a query, `reads` is the key of the answer's items that is looked into: one, or one by value. */
const queryKeyType = () =>
  z.union([
    keyWord(),
    mapping({
      type: keyWord().optional(),
      only: textList().optional(),
      required: flag().optional(),
      reads: z.union([text(), z.record(text(), text())]).optional(),
    }),
  ])

/** `path.function`, `query.x`, `body.ids[]` for a list, `path.prefix*` for the beginning of a name. */
const place = () =>
  text().regex(
    /^(path|query|body)\.[A-Za-z0-9_-]+(\[\]|\*)?$/,
    'must be a place such as path.function, query.name or body.devices[]',
  )

const attribute = mapping({ type: z.enum(ATTRIBUTE_TYPES), from: text(), says: text() })

const resource = mapping({
  one: word(),
  many: word(),
  id: text(),
  fold: z.enum(['lower', 'none']).optional(),
  alias: mapping({ grammar: text(), on: textList().optional() }).optional(),
  keys: textList().optional(),
  attributes: z.record(word(), attribute).optional(),
  lookup: mapping({
    path: text(),
    bare: text().optional(),
    at: text().optional(),
    pick: z.record(text(), text()),
    absent: z.array(integer(400, 499)).min(1),
  }).optional(),
})

/** Several places: spellings of one key. `absent`: what it means that it is not there. */
const devicePlace = () =>
  z.union([place(), mapping({ place: oneOrMore(place()), absent: z.literal('all') })])

const action = mapping({
  says: text(),
  classes: textList(),
  origin: z.enum(['cloud', 'gate']).optional(),
  shape: z.enum(['item', 'list', 'stream']).optional(),
  device_free: flag().optional(),
  writes: textList().optional(),
  changes: z.enum(['listed', 'nothing']).optional(),
  routeless: flag().optional(),
})

const fields = () => z.partialRecord(z.enum(fieldWords), place())
const values = () =>
  z.record(
    word(),
    oneOrMore(place()).transform((given) => (typeof given === 'string' ? [given] : given)),
  )

const deed = mapping({
  action: text(),
  keys: textList().optional(),
  content_type: mediaType().optional(),
  accept: mediaType().optional(),
  fields: fields().optional(),
  values: values().optional(),
})

const body = z.union([
  z.enum(['none', 'json']),
  mapping({
    keys: z.record(text(), keyType()).optional(),
    as: oneOrMore(z.enum(['json', 'form'])).optional(),
    optional: flag().optional(),
    json: flag().optional(),
    multipart: mapping({
      files: textList().optional(),
      texts: textList().optional(),
      fields: textList().optional(),
      products: textList().optional(),
    }).optional(),
    raw: z.array(mediaType()).min(1).optional(),
  }),
])

const when = mapping({ at: text(), is: text() })

const paging = mapping({
  page: text(),
  size: textList(),
  default: integer(1, MAX_PAGE),
  max: integer(1, MAX_PAGE),
  meta: mapping({
    page: text().optional(),
    size: text().optional(),
    pages: text().optional(),
    total: text().optional(),
  }).optional(),
})

const answer = z.union([
  z.enum(['object', 'list', 'stream', 'opaque']),
  mapping({
    object: text().optional(),
    list: text().optional(),
    stream: text().optional(),
    item: z.enum(['organization', 'product', 'device', 'none']).optional(),
    secrets: textList().optional(),
    id: text().optional(),
    when: when.optional(),
    facts: z.enum(['item', 'directory']).optional(),
    paging: z.union([text(), paging]).optional(),
    sides: z
      .array(mapping({ at: text(), key: text(), of: text(), keep: textList().optional() }))
      .min(1)
      .optional(),
    keep: textList().optional(),
    narrow: z.record(text(), text()).optional(),
    across: text().optional(),
  }),
])

const relation = mapping({
  lookup: textList(),
  device: textList().optional(),
  when: when.optional(),
  absent: z.array(integer(400, 499)).min(1),
})

const query = z.union([textList(), z.record(text(), queryKeyType())])

const route = mapping({
  route: endpoint(),
  also: oneOrMore(endpoint()).optional(),
  action: text().optional(),
  deeds: z.array(deed).min(1).optional(),
  fields: fields().optional(),
  values: values().optional(),
  query: query.optional(),
  body: body.optional(),
  devices: z.union([z.literal('all'), oneOrMore(devicePlace())]).optional(),
  relation: text().optional(),
  answer: answer.optional(),
  way: z.enum(['small', 'streaming']).optional(),
  self: z.enum(['user', 'token', 'revoke']).optional(),
})

export const catalogShape = mapping({
  name: word(),
  resources: mapping({ organization: resource, product: resource, device: resource }),
  parameters: z
    .record(word(), z.union([text(), mapping({ grammar: text(), not: textList().optional() })]))
    .optional(),
  credentials: mapping({
    parameter: text(),
    query: z.array(z.enum(methods)).optional(),
    form: z.array(z.enum(methods)).optional(),
  }),
  errors: mapping({ body: z.record(text(), text()) }),
  events: mapping({
    source: text(),
    api: textList().optional(),
    cloud: textList().optional(),
  }).optional(),
  paging: z.record(word(), paging).optional(),
  relations: z.record(word(), relation).optional(),
  headers: mapping({ forward: textList().optional(), return: textList().optional() }).optional(),
  classes: z.record(word(), text()),
  actions: z.record(
    text().regex(
      /^[a-z][a-z0-9_.]*:[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$/,
      'must look like family:verb or family:verb.deed',
    ),
    action,
  ),
  routes: z.array(route).min(1),
  refused: z
    .array(mapping({ why: text(), routes: textList().pipe(z.array(endpoint())) }))
    .optional(),
})

export type CatalogText = z.infer<typeof catalogShape>
export type ResourceText = z.infer<typeof resource>
export type RouteText = z.infer<typeof route>
export type DeedText = z.infer<typeof deed>
export type BodyText = z.infer<typeof body>
export type KeyText = z.infer<ReturnType<typeof keyType>>
export type QueryKeyText = z.infer<ReturnType<typeof queryKeyType>>
export type AnswerText = z.infer<typeof answer>
export type ListText = Exclude<AnswerText, string>
export type PagingText = z.infer<typeof paging>
export type RelationText = z.infer<typeof relation>
