import { describe, expect, it } from 'vitest'
import { createRouteTable } from '../../../src/catalog/route-table.ts'
import type { Catalog, Route } from '../../../src/domain/catalog.ts'
import type { Boundary } from '../../../src/domain/grant.ts'
import type { Principal } from '../../../src/domain/principal.ts'
import { Problem } from '../../../src/domain/problem.ts'
import type { PolicyEngine } from '../../../src/policy/policy-engine.ts'
import { findCredential } from '../../../src/proxy/credentials.ts'
import { createDescribe, type Asked } from '../../../src/proxy/describe.ts'
import { createIdResolver } from '../../../src/proxy/ids.ts'
import { createRelate } from '../../../src/proxy/relations.ts'
import { createMatchRoute } from '../../../src/proxy/routing.ts'
import { canonicalTarget } from '../../../src/proxy/target.ts'
import type { Directory } from '../../../src/upstream/directory.ts'
import { aCatalog, aDeed, aRoute, fieldsBody, mine, other } from '../../kit/a-route.ts'
import { particleCatalog } from '../../kit/catalog.ts'
import { FakeExchange, aPrincipal, fakeDirectory } from '../../kit/fakes.ts'

const json = { authorization: 'Bearer U', 'content-type': 'application/json' }
const inProduct = 'GET /v1/products/:product/devices/:device'
const bare = aRoute('GET /v1/devices/:device', { sent: '/v1/products/:product/devices/:device' })

type Case = {
  route?: Route
  headers?: Record<string, string>
  body?: unknown
  directory?: Partial<Directory>
  boundary?: Boundary
  actions?: Catalog['actions']
  principal?: Principal
  hangsOnDevice?: PolicyEngine['hangsOnDevice']
}

async function ask(line: string, given: Case = {}): Promise<Asked> {
  const { route = aRoute(), headers = json, body, directory, boundary, actions = new Map() } = given
  const { principal = aPrincipal, hangsOnDevice = () => true } = given
  const catalog = { ...aCatalog([route]), actions }
  const exchange = new FakeExchange(line, headers, body === undefined ? '' : JSON.stringify(body))
  const target = canonicalTarget(exchange.raw.target)
  const credential = await findCredential(exchange, target, catalog.credentials)
  const match = createMatchRoute(createRouteTable(catalog))
  const { params } = match(exchange.raw.method, credential.target)
  const facts = fakeDirectory(directory)
  const ids = createIdResolver(catalog.resources, facts, () => boundary)
  const policy = { hangsOnDevice, maxAgeOf: () => undefined }
  const describe = createDescribe(catalog, ids, createRelate({ directory: facts, ids, policy }))
  return describe(exchange, route, params, credential, principal)
}

async function codeOf(...args: Parameters<typeof ask>): Promise<string> {
  try {
    return `asked, ${(await ask(...args)).unresolved ?? 'resolved'}`
  } catch (error) {
    return error instanceof Problem ? error.code : `threw ${String(error)}`
  }
}

const knows: Partial<Directory> = {
  product: async (alias) =>
    ['1337', 'my-product-v1'].includes(alias)
      ? { id: '1337', organization: '0a0a0a0a' }
      : undefined,
  device: async (alias) =>
    [mine, 'shed'].includes(alias) ? { id: mine, product: '1337' } : undefined,
}

describe('what is asked', () => {
  it('P18 asks about one canonical id and sends it on, however it was spelled', async () => {
    const lines = [
      `GET /v1/products/1337/devices/${mine}`,
      `GET /v1/products/my-product-v1/devices/${mine}/`,
      `GET /v1/products/1337/devices/${mine.toUpperCase()}`,
    ]
    for (const line of lines) {
      const asked = await ask(line, { directory: knows })
      expect(asked.requests.map(({ resource }) => resource)).toEqual([
        { type: 'device', product: '1337', device: mine },
      ])
      expect(asked.target).toBe(`/v1/products/1337/devices/${mine}`)
      expect(asked.upstream.target).toBe(`/v1/products/1337/devices/${mine}`)
    }
  })

  it('P18 sends a device that was named to the product and id that were decided', async () => {
    for (const spelling of ['shed', mine, mine.toUpperCase()]) {
      const asked = await ask(`GET /v1/devices/${spelling}`, { route: bare, directory: knows })
      expect(asked.upstream.target).toBe(`/v1/products/1337/devices/${mine}`)
      expect(asked.requests[0]?.resource).toMatchObject({ product: '1337', device: mine })
    }
  })

  it('P18 F15 leaves unresolved what nobody knows, a name in a product, and an id that answers as another', async () => {
    const unknown = `GET /v1/products/nope/devices/${mine}`
    expect(await codeOf(unknown)).toBe('asked, outside_boundary')
    expect(await codeOf('GET /v1/products/1337/devices/shed', { directory: knows })).toBe(
      'asked, outside_devices',
    )
    expect(await codeOf(`GET /v1/devices/${other}`, { route: bare, directory: knows })).toBe(
      'asked, outside_boundary',
    )
    const liar = { device: async () => ({ id: other, product: '1337' }) }
    expect(await codeOf(`GET /v1/devices/${mine}`, { route: bare, directory: liar })).toBe(
      'asked, outside_devices',
    )
  })

  it('asks whose a product is for an organization, and believes nothing else', async () => {
    const line = `GET /v1/products/1337/devices/${mine}`
    const boundary: Boundary = { kind: 'organization', organization: '0a0a0a0a' }
    const asked = await ask(line, { directory: knows, boundary })
    expect(asked.requests[0]?.resource.organization).toBe('0a0a0a0a')
    expect(await codeOf(line, { boundary })).toBe('asked, outside_boundary')
    const route = aRoute('GET /v1/orgs/:organization/products/:product')
    const mismatch = 'GET /v1/orgs/0b0b0b0b/products/1337'
    expect(await codeOf(mismatch, { route, directory: knows })).toBe('asked, outside_boundary')
    const match = 'GET /v1/orgs/0a0a0a0a/products/1337'
    expect(await codeOf(match, { route, directory: knows })).toBe('asked, resolved')
  })

  it('never sends a path with a hole in it', async () => {
    const route = aRoute('GET /v1/products/:product', { sent: '/v1/orgs/:organization/:product' })
    expect(await codeOf('GET /v1/products/1337', { route })).toBe('internal')
  })

  const bulk = aRoute('PUT /v1/products/:product/devices', {
    deeds: [aDeed('devices:update.groups', { keys: ['devices'] })],
    body: fieldsBody({ devices: 'list', action: 'string' }),
    devices: [{ in: 'body', key: 'devices', list: true }],
  })
  const put = 'PUT /v1/products/1337/devices'

  it('B03 asks about every device of a bulk request, each once', async () => {
    const devices = [other, mine, other]
    const asked = await ask(put, { route: bulk, body: { devices } })
    expect(asked.requests.map(({ resource }) => resource.device)).toEqual([other, mine])
    expect(asked.unresolved).toBeUndefined()
  })

  it('decides on the place as well where a device is named beside what is done to the place', async () => {
    const route = aRoute('POST /v1/orgs/:organization/integrations', {
      deeds: [aDeed('integrations:create')],
      body: fieldsBody({ url: 'string', deviceId: 'string' }),
      devices: [{ in: 'body', key: 'deviceId', list: false }],
    })
    const { actions } = particleCatalog()
    const body = { url: 'u', deviceId: mine }
    const line = 'POST /v1/orgs/0a0a0a0a/integrations'
    const boundary: Boundary = { kind: 'organization', organization: '0a0a0a0a' }
    const principal = { ...aPrincipal, issued: { ...aPrincipal.issued, boundary } }
    const given = { route, directory: knows, actions, body, boundary, principal }
    const asked = await ask(line, given)
    expect(asked.requests.map(({ resource }) => resource)).toEqual([
      { type: 'organization', organization: '0a0a0a0a' },
      { type: 'device', organization: '0a0a0a0a', product: '1337', device: mine },
    ])
  })

  describe('where no device is named', () => {
    const configuration = (devices: Route['devices'], body: Route['body']): Route =>
      aRoute('PUT /v1/products/:product/config', {
        deeds: [aDeed('configuration:update')],
        query: new Map([['device', { type: 'string', required: false }]]),
        ...{ body, devices },
      })
    const line = 'PUT /v1/products/1337/config'
    const list = { in: 'body', key: 'deviceIds', list: true } as const
    const one = { in: 'query', key: 'device', list: false } as const
    const whole = { type: 'product', product: '1337' }

    const about = async (route: Route, body: unknown, query = '') =>
      (await ask(line + query, { route, body })).requests.map(({ resource, relation }) => [
        resource.device ?? resource.type,
        relation,
      ])

    it('asks about all that the place holds, if the catalog says so', async () => {
      const all = configuration([{ ...list, absent: 'all' }], { kind: 'json' })
      expect((await ask(line, { route: all, body: { a: 1 } })).requests).toMatchObject([
        { resource: whole, relation: 'all' },
      ])
      expect(await about(all, [{ deviceIds: [mine] }])).toEqual([['product', 'all']])
      expect(await about(all, { deviceIds: [mine] })).toEqual([[mine, undefined]])
      const none = configuration([list], { kind: 'json' })
      expect(await about(none, { a: 1 })).toEqual([['product', undefined]])
    })

    it('asks about all beside those that another place names', async () => {
      const body = { kind: 'json' } as const
      const both = configuration([{ ...list, absent: 'all' }, one], body)
      expect(await about(both, {}, `?device=${mine}`)).toEqual([
        ['product', 'all'],
        [mine, undefined],
      ])
      const inQuery = configuration([{ ...one, absent: 'all' }], body)
      expect(await about(inQuery, {})).toEqual([['product', 'all']])
      expect(await about(inQuery, {}, `?device=${mine}`)).toEqual([[mine, undefined]])
    })

    it('takes another spelling only where the catalog says that the cloud reads it', async () => {
      const places = [
        { ...one, in: 'body', key: 'deviceID', absent: 'all', or: ['deviceid'] },
        ...['deviceid', 'device_id'].map((key) => ({ in: 'body', key, list: false }) as const),
      ] as const
      const keys = { deviceID: 'string', deviceid: 'string', device_id: 'string' } as const
      for (const body of [{ kind: 'json' } as const, fieldsBody(keys)]) {
        const route = configuration(places, body)
        expect(await about(route, { deviceID: mine })).toEqual([[mine, undefined]])
        expect(await about(route, { deviceid: mine })).toEqual([[mine, undefined]])
        expect(await about(route, { device_id: mine })).toEqual([
          ['product', 'all'],
          [mine, undefined],
        ])
      }
      const route = configuration(places, { kind: 'json' })
      expect(await codeOf(line, { route, body: { deviceID: mine, DeviceId: mine } })).toBe(
        'invalid_request',
      )
      const nested = { deviceID: mine, a: { DeviceId: other } }
      expect(await codeOf(line, { route, body: nested })).toBe('asked, resolved')
    })
  })

  it('refuses more devices times keys than can be decided without holding up others', async () => {
    const route = aRoute('PUT /v1/products/:product/config', {
      deeds: [aDeed('configuration:update')],
      body: { kind: 'json' },
      devices: [{ in: 'body', key: 'deviceIds', list: true }],
    })
    const line = 'PUT /v1/products/1337/config'
    const body = (devices: number, keys: number) => ({
      deviceIds: Array.from({ length: devices }, (_, i) => i.toString(16).padStart(24, '0')),
      ...Object.fromEntries(Array.from({ length: keys - 1 }, (_, i) => [`key${i}`, i])),
    })
    expect(await codeOf(line, { route, body: body(1000, 15) })).toBe('asked, resolved')
    expect(await codeOf(line, { route, body: body(1000, 16) })).toBe('payload_too_large')
    // R25 What is asked about one device is asked in one turn of the event loop.
    expect(await codeOf(line, { route, body: body(1, 1000) })).toBe('asked, resolved')
    expect(await codeOf(line, { route, body: body(1, 1001) })).toBe('payload_too_large')
  })

  it('B03 refuses a bulk request that names none, or names one otherwise than it is decided', async () => {
    const bad = [[], [mine.toUpperCase()], [1], [mine, null], [[mine]]]
    for (const devices of bad) {
      expect([devices, await codeOf(put, { route: bulk, body: { devices } })]).toEqual([
        devices,
        'invalid_request',
      ])
    }
    expect(
      await codeOf(put, { route: bulk, body: { devices: [mine, 'shed'] }, directory: knows }),
    ).toBe('asked, outside_devices')
  })

  const ids = (count: number) =>
    Array.from({ length: count }, (_, i) => i.toString(16).padStart(24, '0'))

  it('B03 takes five thousand devices of a product at once, and not one more', async () => {
    const most = await ask(put, { route: bulk, body: { devices: ids(5_000) } })
    expect(most.requests).toHaveLength(5_000)
    const more = { route: bulk, body: { devices: ids(5_001) } }
    expect(await codeOf(put, more)).toBe('payload_too_large')
  })

  describe('without a product', () => {
    const route = aRoute('POST /v1/orgs/:organization/reports', {
      deeds: [aDeed('reports:create')],
      body: fieldsBody({ devices: 'list' }),
      devices: [{ in: 'body', key: 'devices', list: true }],
    })
    const line = 'POST /v1/orgs/0a0a0a0a/reports'
    const boundary: Boundary = { kind: 'organization', organization: '0a0a0a0a' }
    const principal = { ...aPrincipal, issued: { ...aPrincipal.issued, boundary } }
    const inside = { route, boundary, principal }

    function counting(known: (id: string) => boolean) {
      const seen = { asked: 0, atOnce: 0, underWay: 0 }
      const directory: Partial<Directory> = {
        ...knows,
        async device(id) {
          seen.asked += 1
          seen.underWay += 1
          seen.atOnce = Math.max(seen.atOnce, seen.underWay)
          await Promise.resolve()
          seen.underWay -= 1
          return known(id) ? { id, product: '1337' } : undefined
        },
      }
      return { seen, directory }
    }

    it('B03 looks up a thousand devices at most, a few at a time', async () => {
      const { seen, directory } = counting(() => true)
      const asked = await ask(line, { ...inside, directory, body: { devices: ids(1000) } })
      expect(asked.requests).toHaveLength(1000)
      expect(asked.unresolved).toBeUndefined()
      expect(seen).toMatchObject({ asked: 1000, atOnce: 16 })
      const more = { ...inside, directory, body: { devices: ids(1001) } }
      expect(await codeOf(line, more)).toBe('payload_too_large')
    })

    it('B03 is over with the first device that nobody knows', async () => {
      const { seen, directory } = counting((id) => id !== ids(1)[0])
      const given = { ...inside, directory, body: { devices: ids(1000) } }
      expect(await codeOf(line, given)).toBe('asked, outside_boundary')
      expect(seen.asked).toBeLessThanOrEqual(32)
    })

    it('B03 F15 asks nobody about devices of a place that is not theirs', async () => {
      const { seen, directory } = counting(() => true)
      const asked = await ask(line, { route, directory, body: { devices: ids(10) } })
      expect(asked.requests.map(({ resource }) => resource.type)).toEqual(['organization'])
      expect(seen.asked).toBe(0)
    })

    it('leaves unresolved a device of no product, whatever organization the path names', async () => {
      const directory = { ...knows, device: async (id: string) => ({ id, product: undefined }) }
      const given = { ...inside, directory, body: { devices: ids(1) } }
      expect(await codeOf(line, given)).toBe('asked, outside_boundary')
    })
  })

  it('B02 refuses a body about another device than the path, in the same way for every device', async () => {
    const route = aRoute(inProduct.replace('GET', 'PUT'), {
      deeds: [aDeed('devices:update.name')],
      body: fieldsBody({ id: 'string' }, true),
      devices: [{ in: 'body', key: 'id', list: false }],
    })
    const line = (device: string) => `PUT /v1/products/1337/devices/${device}`
    expect(await codeOf(line(other), { route, body: { id: mine } })).toBe('invalid_request')
    expect(await codeOf(line(mine), { route, body: { id: other } })).toBe('invalid_request')
    expect(await codeOf(line(mine), { route, body: { id: mine } })).toBe('asked, resolved')
    expect(await codeOf(line(mine), { route, body: {} })).toBe('asked, resolved')
    const many = { ...route, body: fieldsBody({ ids: 'list' }) }
    const listed: Route = { ...many, devices: [{ in: 'body', key: 'ids', list: true }] }
    const ids = [mine, other]
    expect(await codeOf(line(mine), { route: listed, body: { ids } })).toBe('invalid_request')
    expect(await codeOf(line(mine), { route: listed, body: { ids: [mine] } })).toBe(
      'asked, resolved',
    )
    const userForm = { ...route, pattern: aRoute('PUT /v1/devices/:device').pattern }
    for (const device of [mine, other, 'shed', 'nobody']) {
      const body = { id: 'c'.repeat(24) }
      expect(
        await codeOf(`PUT /v1/devices/${device}`, { route: userForm, body, directory: knows }),
      ).toBe('invalid_request')
    }
  })

  it('asks one access request a deed, each with its keys and those that are no deed’s', async () => {
    const route = aRoute(inProduct.replace('GET', 'PUT'), {
      deeds: [
        aDeed('devices:update.name', { keys: ['name'] }),
        aDeed('devices:update.notes', { keys: ['notes'] }),
      ],
      body: fieldsBody({ name: 'string', notes: 'string', extra: 'string' }),
    })
    const line = `PUT /v1/products/1337/devices/${mine}`
    const both = await ask(line, { route, body: { name: 'a', notes: 'b', extra: 'c' } })
    expect(both.requests.map(({ action, fields }) => [action, fields.body])).toEqual([
      ['devices:update.name', ['name', 'extra']],
      ['devices:update.notes', ['notes', 'extra']],
    ])
    expect(await codeOf(line, { route, body: {} })).toBe('no_deed')
    expect(await codeOf(line, { route, body: { extra: 'c' } })).toBe('no_deed')
  })

  it('asks for the beginning of names as such', async () => {
    const deeds = [
      aDeed('events:get', { fields: { events: { in: 'path', key: 'prefix', prefix: true } } }),
    ]
    const route = aRoute('GET /v1/products/:product/events/:prefix', { deeds })
    const asked = await ask('GET /v1/products/1337/events/spark%2Fst', { route })
    expect(asked.requests[0]?.fields.events).toEqual(['spark/st*'])
    expect(asked.upstream.target).toBe('/v1/products/1337/events/spark%2Fst')
    const whole = aRoute('GET /v1/products/:product/events', { deeds })
    expect(
      (await ask('GET /v1/products/1337/events', { route: whole })).requests[0]?.fields,
    ).toEqual({})
  })

  const post = aRoute('POST /v1/products/:product/devices/:device/:function', {
    deeds: [
      aDeed('devices.function:call', {
        fields: { functions: { in: 'path', key: 'function' } },
        values: {
          argument: [
            { in: 'body', key: 'arg' },
            { in: 'body', key: 'args' },
          ],
        },
      }),
    ],
    body: { kind: 'json' },
  })
  const call = `POST /v1/products/1337/devices/${mine}/setpoint`

  it('decides on the very value that is sent on: a list of one is not its item', async () => {
    for (const arg of [['20'], [], null, { a: 1 }, 20, '20']) {
      const asked = await ask(call, { route: post, body: { arg } })
      expect(asked.requests[0]?.values).toEqual({ argument: arg })
      expect(asked.upstream.body?.toString()).toBe(JSON.stringify({ arg }))
    }
    expect(
      (await ask(call, { route: post, body: { constructor: 1 } })).requests[0]?.values,
    ).toEqual({})
  })

  it('refuses one value under two names, null and empty lists too', async () => {
    for (const arg of ['16', null, []]) {
      expect(await codeOf(call, { route: post, body: { arg, args: '99' } })).toBe('invalid_body')
    }
  })

  const schema = 'application/schema+json'
  it('tells deeds apart by Accept, and refuses what the cloud may read either way', async () => {
    const deeds = [
      aDeed('configuration:get'),
      aDeed('configuration:get.schema', { accept: schema }),
    ]
    const route = aRoute('GET /v1/products/:product/config', { deeds })
    const meant = async (accept: string) => {
      const headers = { authorization: 'Bearer U', accept }
      const line = 'GET /v1/products/1337/config'
      const code = await codeOf(line, { route, headers })
      if (!code.startsWith('asked')) return code
      return (await ask(line, { route, headers })).requests.map(({ action }) => action).join()
    }
    expect(await meant('*/*')).toBe('configuration:get')
    expect(await meant('Application/Schema+JSON')).toBe('configuration:get.schema')
    expect(await meant(`text/plain, ${schema}`)).toBe('invalid_request')
    expect(await meant(`${schema};q=0.5`)).toBe('invalid_request')
  })

  it('B05 tells deeds apart by content type, also where there is no body', async () => {
    const deeds = [aDeed('configuration:remove.schema', { contentType: schema })]
    const route = aRoute('DELETE /v1/products/:product/config', { deeds })
    const remove = (type: string) =>
      ask('DELETE /v1/products/1337/config', { route, headers: { ...json, 'content-type': type } })
    expect((await remove(schema)).upstream.contentType).toBe(schema)
    await expect(remove('application/json')).rejects.toMatchObject({ code: 'no_deed' })
    const plain = await ask(`GET /v1/products/1337/devices/${mine}`, {
      headers: { ...json, 'content-type': schema },
    })
    expect(plain.upstream.contentType).toBe('')
  })

  it('T04 refuses query keys that are undeclared, missing or of a wrong type', async () => {
    const query = new Map([
      ['page', { type: 'number', required: false } as const],
      ['q', { type: 'string', required: true } as const],
    ])
    const route = aRoute('GET /v1/products/:product/devices', { query })
    const line = 'GET /v1/products/1337/devices'
    expect(await codeOf(`${line}?q=a&deviceID=${other}`, { route })).toBe('unknown_query_key')
    expect(await codeOf(`${line}?q=a&__proto__=1`, { route })).toBe('unknown_query_key')
    expect(await codeOf(`${line}?q=a&page=0x10`, { route })).toBe('invalid_request')
    expect(await codeOf(line, { route })).toBe('invalid_request')
    const asked = await ask(`${line}?q=a%20b%26c&page=2`, { route })
    expect(asked.upstream.target).toBe('/v1/products/1337/devices?q=a%20b%26c&page=2')
  })
})
