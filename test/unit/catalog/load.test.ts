import { describe, expect, it } from 'vitest'
import { loadCatalog } from '../../../src/catalog/load.ts'
import { readCatalog } from '../../../src/catalog/shipped.ts'
import type { Catalog } from '../../../src/domain/catalog.ts'
import { mistakesOf } from '../../kit/catalog.ts'

const head = `name: tiny
resources:
  organization: { one: tenant, many: tenants, id: '[a-z]+' }
  product:
    one: site
    many: sites
    id: '[0-9]+'
    lookup: { path: /sites/:site, pick: { id: id, tenant: owner.tenant }, absent: [404] }
  device:
    one: meter
    many: meters
    id: 'm[0-9a-f]{4}'
    fold: lower
    alias: { grammar: '[a-z-]+', on: [/meters/:meter] }
    attributes:
      load: { type: number, from: state.load, says: Load now. }
    lookup: { path: /sites/:site/meters/:meter, bare: /meters/:meter, pick: { id: id, site: site }, absent: [404] }
parameters:
  relay: '[a-z]{1,8}'
  reading: { grammar: '[a-z0-9]{1,8}', not: meter }
credentials: { parameter: key }
errors: { body: { message: $says } }
classes: { read: Reads., control: Acts. }
`
const actions = `actions:
  meters:list: { says: Lists., classes: read, shape: list }
  meters:get: { says: Reads., classes: read }
  relays:set: { says: Switches., classes: control, writes: load }
`
const routes = `routes:
  - route: GET /sites/:site/meters
    action: meters:list
    query: { page: number, sort: string }
    answer: { list: items, item: device, secrets: key }
  - route: GET /sites/:site/meters/:meter
    also: GET /meters/:meter
    action: meters:get
  - route: POST /sites/:site/meters/:meter/relays/:relay?
    action: relays:set
    fields: { functions: path.relay }
    values: { level: [body.level, query.level] }
    query: { level: number }
    body: { keys: { level: number!, mode: { only: [on, off] }, note: any }, as: json }
`
const refused = `refused:
  - { why: Not for machines., routes: [POST /login] }
`
const good = head + actions + routes + refused

describe('loadCatalog', () => {
  it('reads what a missing device means, and other spellings of its key', () => {
    const broadcast = (devices: string) => `  - route: PUT /sites/:site/relays
    action: relays:set_all
    body: { keys: { meters: list, Meters: list, meter: string }, as: json }
    devices: ${devices}
`
    const known = actions.replace(
      '  relays:set:',
      '  relays:set_all: { says: Switches all., classes: control }\n  relays:set:',
    )
    const text = (devices: string) => head + known + routes + broadcast(devices) + refused
    const places = (devices: string) =>
      loaded(text(devices)).routes.find(({ id }) => id.startsWith('PUT '))?.devices
    const meters = { in: 'body', key: 'meters', list: true }
    const all = { ...meters, absent: 'all' }
    expect(places('["body.meters[]"]')).toEqual([meters])
    expect(places('[{ place: "body.meters[]", absent: all }]')).toEqual([all])
    expect(places('{ place: ["body.meters[]", "body.Meters[]"], absent: all }')).toEqual([
      { ...all, or: ['Meters'] },
      { ...meters, key: 'Meters' },
    ])
    expect(mistakesOf(text('[{ place: body.metre, absent: all }]')).join()).toMatch(
      /no body key "metre" is declared/,
    )
    expect(mistakesOf(text('[{ place: body.meters, absent: all }]')).join()).toMatch(/write \[\]/)
    expect(mistakesOf(text('[{ place: "body.meters[]", absent: none }]'))).not.toEqual([])
    expect(mistakesOf(text('{ place: [body.meter, query.meter], absent: all }')).join()).toMatch(
      /spellings of one key/,
    )
    const reach = (devices: string) =>
      loaded(text(devices)).routes.find(({ id }) => id.startsWith('PUT '))?.reach
    expect([reach('all'), reach('["body.meters[]"]')]).toEqual(['all', undefined])
    const onMeter = text('all').replace(
      'PUT /sites/:site/relays',
      'PUT /sites/:site/meters/:meter/relays',
    )
    expect(mistakesOf(onMeter).join()).toMatch(/"all" has no sense here/)
    expect(mistakesOf(text('none'))).not.toEqual([])
    const inPath = text('{ place: body.meter, absent: all }').replace(
      'PUT /sites/:site/relays',
      'PUT /sites/:site/meters/:meter/relays',
    )
    expect(mistakesOf(inPath).join()).toMatch(/the path says which device/)
  })

  it('turns a catalog of other words into the same types', () => {
    const catalog = loaded(good)
    expect(catalog.routes.map(({ id }) => id)).toEqual([
      'GET /sites/:site/meters',
      'GET /sites/:site/meters/:meter',
      'GET /meters/:meter',
      'POST /sites/:site/meters/:meter/relays',
      'POST /sites/:site/meters/:meter/relays/:relay',
      'POST /login',
    ])
    expect(catalog.resources.device.lookup).toEqual({
      path: '/sites/:product/meters/:device',
      bare: '/meters/:device',
      pick: { id: 'id', product: 'site' },
      absent: [404],
    })
    expect(catalog.resources.product.lookup?.pick).toEqual({
      id: 'id',
      organization: 'owner.tenant',
    })
    expect(catalog.hash).toMatch(/^[0-9a-f]{64}$/)
  })

  it('sends a further form on as the first one, and keeps a form that would lose a parameter', () => {
    const [, , bare] = loaded(good).routes
    expect(bare?.upstream.text).toBe('/sites/:site/meters/:meter')
    const list = good.replace('action: meters:list', 'also: GET /meters\n    action: meters:list')
    const whole = loaded(list).routes.find(({ id }) => id === 'GET /meters')
    expect(whole?.upstream.text).toBe('/meters')
    const deeper = good.replace('also: GET /meters/:meter', 'also: GET /meters/:meter/of/:relay')
    const kept = loaded(deeper.replace('on: [/meters/:meter]', 'on: [/meters/:meter]')).routes
    expect(kept.find(({ id }) => id.includes('/of/'))?.upstream.text).toBe(
      '/meters/:meter/of/:relay',
    )
  })

  it('shows what each action is about from its routes', () => {
    const { actions: known } = loaded(good)
    expect(known.get('meters:list')).toMatchObject({ onDevice: true, shape: 'list', fields: [] })
    expect(known.get('relays:set')).toMatchObject({
      onDevice: true,
      fields: ['body', 'functions'],
      writes: ['load'],
      scope: 'relays:set',
    })
    expect([...(known.get('relays:set')?.values ?? [])]).toEqual([
      ['level', 'number'],
      ['mode', 'string'],
    ])
  })

  it('leaves a field out on the form that has no such parameter', () => {
    const [without, within] = loaded(good).routes.filter(({ method }) => method === 'POST')
    expect(without?.deeds[0]?.fields).toEqual({})
    expect(within?.deeds[0]?.fields).toEqual({ functions: { in: 'path', key: 'relay' } })
  })

  it('keeps which values of a key are taken', () => {
    const body = loaded(good).routes.at(3)?.body
    expect(body?.kind === 'fields' && body.keys.get('mode')).toEqual({
      type: 'string',
      required: false,
      only: ['on', 'off'],
    })
  })

  it('anchors ids and folds only where it is said', () => {
    const { device, product } = loaded(good).resources
    expect(device.id.test('m00ff')).toBe(true)
    expect(device.id.test('m00ff0')).toBe(false)
    expect(device.id.test('M00FF')).toBe(false)
    expect(product.fold).toBe('none')
    const grammar = loaded(good).routes[1]?.pattern.segments.at(-1)
    expect(grammar !== undefined && 'grammar' in grammar && grammar.grammar.test('M00FF')).toBe(
      true,
    )
  })

  const planted: [what: string, from: string, to: string, line: number, message: RegExp][] = [
    [
      'an unknown key',
      'routes: [POST /login]',
      'route: [POST /login]',
      43,
      /unknown key "route"; did you mean "routes"/,
    ],
    [
      'an unknown action',
      'action: meters:get',
      'action: meters:gte',
      35,
      /unknown action "meters:gte"; did you mean "meters:get"/,
    ],
    [
      'an action without a route',
      'action: meters:get',
      'action: meters:list',
      26,
      /no route means "meters:get"/,
    ],
    [
      'an unknown class',
      'Reads., classes: read }',
      'Reads., classes: raed }',
      26,
      /unknown class "raed"; did you mean "read"/,
    ],
    [
      'an unknown attribute',
      'writes: load',
      'writes: laod',
      27,
      /unknown attribute "laod"; did you mean "load"/,
    ],
    [
      'a write that changes nothing',
      'writes: load',
      'writes: load, changes: nothing',
      27,
      /writes attributes changes something/,
    ],
    [
      'an unknown parameter',
      '/relays/:relay?',
      '/relays/:rely?',
      36,
      /unknown parameter ":rely"; did you mean "relay"/,
    ],
    [
      'an unknown place in the path',
      'path.relay',
      'path.rely',
      38,
      /no parameter ":rely" in the path; did you mean "relay"/,
    ],
    [
      'an undeclared body key',
      '[body.level,',
      '[body.levle,',
      39,
      /no body key "levle" is declared; did you mean "level"/,
    ],
    ['an undeclared query key', 'query.level]', 'query.lvl]', 39, /no query key "lvl" is declared/],
    [
      'an odd method',
      'GET /sites/:site/meters\n',
      'FETCH /sites/:site/meters\n',
      29,
      /must be a method and a path/,
    ],
    [
      'two parameters in one place',
      'GET /sites/:site/meters/:meter\n',
      'GET /sites/:site/meters/:relay\n',
      36,
      /could both fit here/,
    ],
    [
      'a second route of one shape',
      'also: GET /meters/:meter',
      'also: GET /sites/:site/meters',
      34,
      /the same method and path as GET \/sites\/:site\/meters/,
    ],
    ['a broken grammar', "'[a-z]{1,8}'", "'[a-z'", 19, /is no regular expression/],
    ['a broken id', "id: 'm[0-9a-f]{4}'", "id: 'm[0-9a-f'", 12, /is no regular expression/],
    [
      'an alias place that no route has',
      'on: [/meters/:meter]',
      'on: [/metres/:meter]',
      14,
      /no route begins with \/metres\/:meter/,
    ],
    [
      'a list that is no list',
      'list: items, item: device, secrets',
      'object: items, secrets',
      29,
      /its answer must be a list of items/,
    ],
    ['a literal that is none', 'POST /login', 'POST /log+in', 43, /cannot stand in a path/],
    [
      'an upload that is not streamed',
      'as: json }',
      'as: json, multipart: { files: file } }',
      36,
      /needs "way: streaming"/,
    ],
    [
      'an unknown "not"',
      'not: meter',
      'not: metre',
      20,
      /unknown parameter "metre"; did you mean "meter"/,
    ],
    [
      'an unknown error word',
      'message: $says',
      'message: $sayz',
      22,
      /must be plain text or one of \$error/,
    ],
    [
      'an unknown pick',
      'tenant: owner.tenant',
      'tenat: owner.tenant',
      8,
      /unknown pick "tenat"; did you mean "tenant"/,
    ],
    [
      'a value of two types',
      'level: number!, mode',
      'level: string!, mode',
      36,
      /is a string elsewhere and a number here/,
    ],
    [
      'nothing to do',
      '    action: meters:get\n',
      '',
      33,
      /needs exactly one of "action", "deeds" and "self"/,
    ],
    ['an odd key type', 'sort: string', 'sort: strnig', 31, /must be string, number/],
    ['an odd place', 'functions: path.relay', 'functions: relay', 38, /must be a place/],
  ]

  it('names each mistake at its line', () => {
    expect(mistakesOf(good)).toEqual([])
    for (const [what, from, to, line, message] of planted) {
      expect([what, good.includes(from)]).toEqual([what, true])
      const found = mistakesOf(good.replace(from, to))
      const lines = found
        .filter((mistake) => message.test(mistake))
        .map((mistake) => Number.parseInt(mistake, 10))
      expect([`${what}: ${found.join(' | ')}`, lines]).toEqual([
        `${what}: ${found.join(' | ')}`,
        [line],
      ])
    }
  })

  it('reports all mistakes of one load at once', () => {
    const broken = good
      .replace('writes: load', 'writes: lode')
      .replace('path.relay', 'path.rely')
      .replace("'[a-z0-9]{1,8}'", "'[a-z'")
      .replace('message: $says', 'message: $sayz')
    const lines = mistakesOf(broken).map((mistake) => Number.parseInt(mistake, 10))
    expect(new Set(lines)).toEqual(new Set([20, 22, 27, 38]))
  })

  it('refuses an action that is about one device on some routes only', () => {
    const mixed = good.replace('also: GET /meters/:meter', 'also: GET /sites/:site/summary')
    expect(
      mistakesOf(mixed.replace("alias: { grammar: '[a-z-]+', on: [/meters/:meter] }", '')),
    ).toEqual(['33: "meters:get" is about one device on some routes only; make it two deeds'])
  })

  it('refuses a scope that is an action beside its own deeds', () => {
    const both = good.replace(
      '  meters:get: {',
      '  meters:get.more: { says: More., classes: read, routeless: true }\n  meters:get: {',
    )
    expect(mistakesOf(both)).toEqual(['26: "meters:get" has deeds: it cannot be an action as well'])
  })
})

describe('readCatalog', () => {
  it('finds the shipped catalog by its name', () => {
    const loadedOne = readCatalog('particle')
    expect(loadedOne.ok && loadedOne.catalog.name).toBe('particle')
  })

  it('reports a file that is not there as a mistake that says what ships', () => {
    const missing = readCatalog('/nowhere/catalog.yaml')
    expect(missing.ok ? [] : missing.mistakes.map(({ message }) => message)).toEqual([
      'the catalog cannot be read (ENOENT); name a file or one that ships: particle',
    ])
  })
})

function loaded(text: string): Catalog {
  const result = loadCatalog(text, 'catalog.yaml')
  if (!result.ok) throw new Error(result.mistakes.map((m) => `${m.line}: ${m.message}`).join('\n'))
  return result.catalog
}
