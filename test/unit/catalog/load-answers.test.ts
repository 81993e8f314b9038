/** The words that say how answers are cut, whose things are, and what is in an upload: what they load as, and their mistakes. */

import { describe, expect, it } from 'vitest'
import { loadCatalog } from '../../../src/catalog/load.ts'
import type { Catalog, ListAnswer, Route } from '../../../src/domain/catalog.ts'
import { mistakesOf } from '../../kit/catalog.ts'

const good = `name: tiny
resources:
  organization: { one: tenant, many: tenants, id: '[a-z]+' }
  product:
    one: site
    many: sites
    id: '[0-9]+'
    attributes:
      tier: { type: string, from: plan.tier, says: What was bought. }
    lookup: { path: /sites/:site, at: site, pick: { id: id, tenant: owner.tenant }, absent: [404] }
  device:
    one: meter
    many: meters
    id: 'm[0-9a-f]{4}'
    keys: [id, label, owner, tags]
    attributes:
      tags: { type: strings, from: tags, says: Words on it. }
parameters: { card: '[0-9]{4}', shelf: '[a-z]+', slot: '[a-z0-9]{5}', prefix: '[a-z]+' }
credentials: { parameter: key }
errors: { body: { message: $says } }
events: { source: sent.by, api: [web, app], cloud: cloud }
paging:
  short: { page: page, size: [n, count], default: 5, max: 50, meta: { pages: meta.pages, total: meta.all } }
relations:
  card: { lookup: /sites/:site/cards/:card, device: [meter, last.meter], absent: [403, 404] }
  slot:
    lookup: [/sites/:site/shelves/:shelf, /tenants/:tenant/shelves/:shelf]
    when: { at: shelf.of, is: meters }
    absent: [404]
classes: { read: Reads. }
actions:
  sites:list: { says: Lists., classes: read, shape: list }
  meters:list: { says: Lists., classes: read, shape: list }
  cards:list: { says: Lists., classes: read, shape: list }
  cards:get: { says: Reads., classes: read }
  cards:import: { says: Adds., classes: read }
  slots:get: { says: Reads., classes: read }
  events:get: { says: Listens., classes: read, shape: stream }
routes:
  - route: GET /sites
    action: sites:list
    answer: { list: sites, item: product }
  - route: GET /meters
    action: meters:list
    answer: { list: ., item: device, across: /sites/:site/meters }
  - route: GET /sites/:site/meters
    action: meters:list
    query:
      page: number
      n: number
      count: number
      tag: { reads: tags }
      like: { type: string, reads: label, required: true }
      sort: { reads: { byLabel: label, byId: id } }
      dir: { only: [up, down] }
    answer:
      list: items
      item: device
      secrets: key
      paging: short
      sides: [{ at: people, key: name, of: owner, keep: [id, name] }]
      keep: [ok]
      narrow: { tag: tags, like: id }
  - route: GET /sites/:site/cards
    action: cards:list
    query: { at: number, many: number }
    answer:
      list: cards
      item: device
      id: holder.meter
      when: { at: holder.kind, is: meter }
      paging: { page: at, size: many, default: 1, max: 2 }
  - route: GET /sites/:site/cards/:card
    action: cards:get
    relation: card
  - route: GET /sites/:site/shelves/:shelf/:slot
    also: GET /tenants/:tenant/shelves/:shelf/:slot
    action: slots:get
    relation: slot
  - route: POST /sites/:site/cards
    deeds:
      - { action: cards:import, keys: list, content_type: multipart/form-data, values: { of: body.whose } }
    body: { multipart: { texts: list, fields: whose } }
    devices: ['body.list[]']
  - route: GET /sites/:site/meters/:meter/events/:prefix?
    action: events:get
    way: streaming
    answer: { stream: /sites/:site/events }
  - route: GET /sites/:site/events/:prefix?
    action: events:get
    way: streaming
    answer: stream
`

describe('a catalog that says how answers are cut', () => {
  it('loads', () => {
    expect(mistakesOf(good)).toEqual([])
  })

  it('finds an item by "id" and its attributes in it, unless it says otherwise', () => {
    expect(listOf('GET /sites').items).toEqual({
      id: 'id',
      facts: 'item',
      sides: [],
      keep: [],
      narrow: [],
    })
    expect(listOf('GET /sites/:site/cards').items).toEqual({
      id: 'holder.meter',
      when: { at: 'holder.kind', is: 'meter' },
      facts: 'directory',
      paging: { page: 'at', size: ['many'], defaultSize: 1, maxSize: 2, meta: {} },
      sides: [],
      keep: [],
      narrow: [],
    })
    const said = good.replace('id: holder.meter', 'id: holder.meter\n      facts: item')
    expect(listOf('GET /sites/:site/cards', said).items.facts).toBe('item')
  })

  it('takes pages by name, and sides, kept keys and narrowing filters as they are said', () => {
    expect(listOf('GET /sites/:site/meters')).toEqual({
      kind: 'list',
      at: 'items',
      item: 'device',
      secrets: ['key'],
      items: {
        id: 'id',
        facts: 'item',
        paging: {
          page: 'page',
          size: ['n', 'count'],
          defaultSize: 5,
          maxSize: 50,
          meta: { pages: 'meta.pages', total: 'meta.all' },
        },
        sides: [{ at: 'people', key: 'name', of: 'owner', keep: ['name', 'id'] }],
        keep: ['ok'],
        narrow: [
          { query: 'tag', attribute: 'tags' },
          { query: 'like', attribute: 'id' },
        ],
      },
    })
  })

  it('puts a list together from that of each product', () => {
    const { at, items } = listOf('GET /meters')
    expect([at, items.across?.text]).toEqual(['', '/sites/:site/meters'])
    expect(items.across).toEqual(routeOf('GET /sites/:site/meters').pattern)
  })

  it('knows which key a filter reads, and which keys a sort key can read', () => {
    const { query } = routeOf('GET /sites/:site/meters')
    expect(query.get('tag')).toEqual({ type: 'string', required: false, reads: 'tags' })
    expect(query.get('like')).toEqual({ type: 'string', required: true, reads: 'label' })
    expect(query.get('sort')).toEqual({
      type: 'string',
      required: false,
      only: ['byLabel', 'byId'],
      reads: { byLabel: 'label', byId: 'id' },
    })
    expect(query.get('dir')).toEqual({ type: 'string', required: false, only: ['up', 'down'] })
    expect(query.get('n')).toEqual({ type: 'number', required: false })
  })

  it('reads a resource under a key of its look-up, and at the root of an item', () => {
    const { product, device } = loaded(good).resources
    expect(product.lookup?.pick).toEqual({ id: 'site.id', organization: 'site.owner.tenant' })
    expect(product.attributes.get('tier')).toMatchObject({
      from: 'site.plan.tier',
      item: 'plan.tier',
    })
    expect(device.attributes.get('tags')).toEqual({
      name: 'tags',
      type: 'strings',
      from: 'tags',
      says: 'Words on it.',
    })
  })

  it('shares a stream under the path it names, or under its own without the last parameter', () => {
    const shared = (id: string) => {
      const { answer } = routeOf(id)
      return answer.kind === 'stream' ? answer.shared.text : undefined
    }
    expect(shared('GET /sites/:site/meters/:meter/events')).toBe('/sites/:site/events')
    expect(shared('GET /sites/:site/meters/:meter/events/:prefix')).toBe('/sites/:site/events')
    expect(shared('GET /sites/:site/events')).toBe('/sites/:site/events')
    expect(shared('GET /sites/:site/events/:prefix')).toBe('/sites/:site/events')
    const plain = good.replace('answer: { stream: /sites/:site/events }', 'answer: stream')
    const own = routeOf('GET /sites/:site/meters/:meter/events/:prefix', plain).answer
    expect(own.kind === 'stream' && own.shared.text).toBe('/sites/:site/meters/:meter/events')
    expect(loaded(good).events).toEqual({
      source: 'sent.by',
      api: ['web', 'app'],
      cloud: ['cloud'],
    })
  })

  it('asks whose a parameter is by the look-up that the form can fill', () => {
    expect(routeOf('GET /sites/:site/cards/:card').relation).toEqual({
      parameter: 'card',
      lookup: '/sites/:product/cards/:card',
      device: ['meter', 'last.meter'],
      absent: [403, 404],
    })
    const slot = { parameter: 'slot', device: [], when: { at: 'shelf.of', is: 'meters' } }
    expect(routeOf('GET /sites/:site/shelves/:shelf/:slot').relation).toEqual({
      ...slot,
      lookup: '/sites/:product/shelves/:shelf',
      absent: [404],
    })
    expect(routeOf('GET /tenants/:tenant/shelves/:shelf/:slot').relation?.lookup).toBe(
      '/tenants/:organization/shelves/:shelf',
    )
  })

  it('reads a file of ids whole, so that each id is decided and its parts can be conditions', () => {
    const { body, way, deeds, devices } = routeOf('POST /sites/:site/cards')
    expect([body, way]).toEqual([{ kind: 'parts', texts: ['list'], fields: ['whose'] }, 'small'])
    expect(devices).toEqual([{ in: 'body', key: 'list', list: true }])
    expect(deeds[0]?.values).toEqual({
      of: [{ in: 'body', key: 'whose' }],
      list: [{ in: 'body', key: 'list' }],
    })
    const action = loaded(good).actions.get('cards:import')
    expect(action).toMatchObject({ onDevice: true, fields: ['body'] })
    expect(Object.fromEntries(action?.values ?? [])).toEqual({ list: 'strings', of: 'string' })
  })

  it('is about one device where an item or a relation is', () => {
    const about = [...loaded(good).actions.values()].map(({ name, onDevice }) => [name, onDevice])
    expect(Object.fromEntries(about)).toEqual({
      'sites:list': false,
      'meters:list': true,
      'cards:list': true,
      'cards:get': true,
      'cards:import': true,
      'slots:get': true,
      'events:get': true,
    })
  })

  it('names each mistake at its line', () => {
    const found = planted.map(([what, from, to, at, message]) => {
      const text = good.replace(from, to)
      const line = text.slice(0, text.indexOf(at)).split('\n').length
      const mistakes = mistakesOf(text)
      const hit = mistakes.includes(`${line}: ${message}`) ? message : mistakes.join(' | ')
      return [what, good.split(from).length - 1, hit]
    })
    expect(found).toEqual(planted.map(([what, , , , message]) => [what, 1, message]))
  })
})

/** A mistake: what is replaced by what, the text at whose line it is reported, and how. */
const planted: [what: string, from: string, to: string, at: string, message: string][] = [
  [
    'an unknown word',
    'narrow: { tag: tags, like: id }',
    'narow: { tag: tags }',
    'narow:',
    'unknown key "narow"; did you mean "narrow"?',
  ],
  [
    'an unknown paging',
    'paging: short',
    'paging: shrot',
    'paging: shrot',
    'unknown paging "shrot"; did you mean "short"?',
  ],
  [
    'a page key that the route does not take',
    'size: [n, count]',
    'size: [n, coutn]',
    'paging: short',
    'no query key "coutn" is declared; did you mean "count"?',
  ],
  [
    'a default beyond the largest',
    'default: 5, max: 50',
    'default: 5, max: 4',
    'paging: short',
    'the default page is larger than the largest',
  ],
  [
    'an odd size',
    'default: 5, max: 50',
    'default: 5, max: many',
    'short: {',
    '"max" must be a whole number',
  ],
  [
    'an unknown meta key',
    'pages: meta.pages,',
    'pgaes: meta.pages,',
    'short: {',
    'unknown key "pgaes"; did you mean "pages"?',
  ],
  [
    'a narrowing filter that is no query key',
    'narrow: { tag: tags, like: id }',
    'narrow: { tga: tags }',
    'narrow:',
    'no query key "tga" is declared; did you mean "tag"?',
  ],
  [
    'a narrowing by no attribute',
    'narrow: { tag: tags, like: id }',
    'narrow: { tag: tgas }',
    'narrow:',
    'unknown attribute "tgas"; did you mean "tags"?',
  ],
  [
    'a side that is the list itself',
    'sides: [{ at: people,',
    'sides: [{ at: items,',
    'sides:',
    '"items" is said to be something else already',
  ],
  [
    'a side that is kept whole',
    'keep: [ok]',
    'keep: [ok, people]',
    'sides:',
    '"people" is said to be something else already',
  ],
  [
    'a filter on an unknown key',
    'tag: { reads: tags }',
    'tag: { reads: tgas }',
    'tag: { reads',
    'unknown key "tgas" of the items; did you mean "tags"?',
  ],
  [
    'a sort on an unknown key',
    'byLabel: label,',
    'byLabel: lable,',
    'sort: {',
    'unknown key "lable" of the items; did you mean "label"?',
  ],
  [
    'values said twice',
    'sort: { reads: { byLabel: label, byId: id } }',
    'sort: { only: byLabel, reads: { byLabel: label, byId: id } }',
    'sort: {',
    '"reads" says which values there are: leave this out',
  ],
  [
    'a list across nothing',
    'across: /sites/:site/meters }',
    'across: /sites/:site/metres }',
    'across:',
    'no route lists meters there; did you mean "/sites/:site/meters"?',
  ],
  [
    'a list across things of another kind',
    'across: /sites/:site/meters }',
    'across: /sites }',
    'across:',
    'no route lists meters there',
  ],
  [
    'a list across two things',
    'across: /sites/:site/meters }',
    'across: /sites/:site/cards/:card }',
    'across:',
    'must name the site and nothing else',
  ],
  [
    'an unknown parameter across',
    'across: /sites/:site/meters }',
    'across: /sites/:sight/meters }',
    'across:',
    'unknown parameter ":sight"',
  ],
  [
    'items of nobody with words about items',
    'answer: { list: sites, item: product }',
    'answer: { list: sites, item: product }\n  - { route: GET /sites/:site/news, action: cards:get, answer: { list: ., keep: [ok] } }',
    'GET /sites/:site/news',
    '"keep" is about the items of a list: say what each "item" is',
  ],
  [
    'a list and a stream at once',
    'answer: { stream: /sites/:site/events }',
    'answer: { stream: /sites/:site/events, list: events }',
    'answer: { stream',
    'must be one object, one list or one stream',
  ],
  [
    'a stream that cannot be filled',
    'answer: { stream: /sites/:site/events }',
    'answer: { stream: /tenants/:tenant/events }',
    'answer: { stream',
    'nothing in the path says which ":tenant" is meant',
  ],
  [
    'an unknown parameter of a stream',
    'answer: { stream: /sites/:site/events }',
    'answer: { stream: /sites/:sight/events }',
    'answer: { stream',
    'unknown parameter ":sight"',
  ],
  [
    'a relation that no route has',
    '    relation: card\n',
    '',
    'card: { lookup',
    'no route has this relation',
  ],
  [
    'streams in an API without events',
    'events: { source: sent.by, api: [web, app], cloud: cloud }\n',
    '',
    'answer: { stream',
    'is a stream: say under "events" how its events look',
  ],
  [
    'a stream that goes the small way',
    'events/:prefix?\n    action: events:get\n    way: streaming\n    answer: stream\n',
    'events/:prefix?\n    action: events:get\n    answer: stream\n',
    'route: GET /sites/:site/events',
    'what streams needs "way: streaming"',
  ],
  [
    'an unknown relation',
    'relation: card\n',
    'relation: crad\n',
    'relation: crad',
    'no parameter ":crad" in the path',
  ],
  [
    'a relation that nobody has written down',
    'relation: slot\n',
    'relation: shelf\n',
    'relation: shelf',
    'unknown relation "shelf"',
  ],
  [
    'a relation that one form cannot ask for',
    'lookup: [/sites/:site/shelves/:shelf, /tenants/:tenant/shelves/:shelf]',
    'lookup: /sites/:site/shelves/:shelf',
    'relation: slot',
    'no look-up of "slot" can be asked from /tenants/:tenant/shelves/:shelf/:slot',
  ],
  [
    'a relation with an unknown parameter',
    '/sites/:site/cards/:card, device',
    '/sites/:site/cards/:crad, device',
    'card: { lookup',
    'unknown parameter ":crad"; did you mean "card"?',
  ],
  [
    'a relation that says nothing of a device',
    'device: [meter, last.meter], absent',
    'absent',
    'card: { lookup',
    'needs "device", or "when" to tell whether the parameter itself is one',
  ],
  [
    'an upload that is read whole and streamed',
    'texts: list, fields',
    'texts: list, files: more, fields',
    'body: { multipart',
    'is read whole for its "texts": it takes no "files"',
  ],
  [
    'a value in a part that is not there',
    'values: { of: body.whose }',
    'values: { of: body.whsoe }',
    'values: { of',
    'no body key "whsoe" is declared; did you mean "whose"?',
  ],
  [
    'devices in a text that is not there',
    "'body.list[]'",
    "'body.lits[]'",
    "'body.lits[]'",
    'no body key "lits" is declared; did you mean "list"?',
  ],
  [
    'devices in a plain part, taken for a list',
    "'body.list[]'",
    "'body.whose[]'",
    "'body.whose[]'",
    '"whose" is no list',
  ],
]

function loaded(text: string): Catalog {
  const result = loadCatalog(text, 'catalog.yaml')
  if (!result.ok) throw new Error(result.mistakes.map((m) => `${m.line}: ${m.message}`).join('\n'))
  return result.catalog
}

function routeOf(id: string, text = good): Route {
  const found = loaded(text).routes.find((route) => route.id === id)
  if (found === undefined) throw new Error(`no route ${id}`)
  return found
}

function listOf(id: string, text = good): ListAnswer {
  const { answer } = routeOf(id, text)
  if (answer.kind !== 'list' || answer.items === undefined) throw new Error(`${id}: no items`)
  return { ...answer, items: answer.items }
}
