import { describe, expect, it } from 'vitest'
import { createRouteTable, type RouteMatch } from '../../../src/catalog/route-table.ts'
import { particleCatalog } from '../../kit/catalog.ts'
import { cpuMs } from '../../kit/cpu-time.ts'

const catalog = particleCatalog()
const table = createRouteTable(catalog)
const device = '0123456789abcdef01234567'

describe('createRouteTable', () => {
  it('finds the route and its decoded parameters', () => {
    const found = match('POST', `/v1/products/12345/devices/${device}/reboot`)
    expect(found).toMatchObject({
      kind: 'route',
      route: { id: 'POST /v1/products/:product/devices/:device/:function' },
      params: { product: '12345', device, function: 'reboot' },
    })
  })

  it('gives one place two names where methods differ in meaning', () => {
    expect(match('GET', `/v1/devices/${device}/battery`)).toMatchObject({
      params: { device, variable: 'battery' },
    })
    expect(match('POST', `/v1/devices/${device}/battery`)).toMatchObject({
      params: { device, function: 'battery' },
    })
  })

  it('P20 takes a reserved word for itself and never for an id or a name, across methods', () => {
    expect(match('POST', '/v1/devices/events')).toMatchObject({
      route: { kind: { kind: 'refused' } },
    })
    expect(match('GET', '/v1/devices/events')).toMatchObject({
      route: { kind: { kind: 'refused' } },
    })
    expect(match('PUT', '/v1/devices/events')).toEqual({
      kind: 'method',
      allowed: ['GET', 'POST', 'HEAD'],
    })
    expect(idOf(match('GET', '/v1/devices/mine'))).toBe('GET /v1/devices/:device')
    expect(match('POST', `/v1/devices/${device}/ping`)).toEqual({
      kind: 'method',
      allowed: ['PUT'],
    })
    expect(match('POST', `/v1/products/1/devices/${device}/ping`).kind).toBe('bad_parameter')
    expect(match('GET', '/v1/products/12345/sims/data_usage')).toMatchObject({
      route: { deeds: [{ action: 'sims.usage:get.fleet' }] },
    })
    expect(match('PUT', '/v1/products/12345/firmware/release')).toMatchObject({
      route: { deeds: [{ action: 'firmware:release' }] },
    })
    expect(match('PUT', '/v1/products/12345/firmware/7')).toMatchObject({
      route: { deeds: [{ action: 'firmware:update' }] },
    })
  })

  it('P20 refuses a function whose name is a route of its own in another form', () => {
    for (const word of ['owner', 'docs', 'target_profile', 'backup_files', 'unprotect', 'events']) {
      for (const path of [
        `/v1/devices/${device}/${word}`,
        `/v1/products/12345/devices/${device}/${word}`,
      ]) {
        expect(`${path} ${idOf(match('POST', path))}`).not.toMatch(/:function/)
        expect(`${path} ${idOf(match('GET', path))}`).not.toMatch(/:variable/)
      }
    }
    expect(idOf(match('POST', `/v1/devices/${device}/owners`))).toMatch(/:function/)
  })

  it('P13 is case-sensitive', () => {
    expect(match('GET', '/V1/devices').kind).toBe('unmapped')
    expect(match('GET', '/v1/Devices').kind).toBe('unmapped')
    expect(match('get', '/v1/devices').kind).toBe('method')
    expect(match('GET', '/v1/devices').kind).toBe('route')
  })

  it('P22 compares whole segments', () => {
    for (const path of ['/v10/devices', '/v1/devicesX', `/v1/devices-evil/${device}`, '/v1', '/']) {
      expect([path, match('GET', path)]).toEqual([path, { kind: 'unmapped' }])
    }
    expect(match('GET', `/v1/devices/${device}/a/b/c`).kind).toBe('unmapped')
  })

  it('P18 takes an id in any case and a name only where the cloud resolves one', () => {
    expect(idOf(match('GET', `/v1/products/12345/devices/${device.toUpperCase()}`))).toMatch(
      /:device$/,
    )
    expect(idOf(match('GET', '/v1/products/thermostat-v1/devices'))).toMatch(/devices$/)
    expect(idOf(match('GET', '/v1/devices/kitchen'))).toBe('GET /v1/devices/:device')
    expect(match('GET', '/v1/products/12345/devices/kitchen')).toEqual({
      kind: 'bad_parameter',
      parameter: 'device',
    })
    expect(match('GET', '/v1/diagnostics/kitchen').kind).toBe('bad_parameter')
  })

  it('P18 never takes a platform id for a product', () => {
    const { id } = catalog.resources.product
    for (const number of ['6', '13', '99', '255', '0', '012345', '12345678901']) {
      expect([number, id.test(number)]).toEqual([number, false])
      expect([number, match('GET', `/v1/products/${number}`).kind]).toEqual([
        number,
        'bad_parameter',
      ])
    }
    for (const number of ['256', '299', '300', '1000', '12345']) expect(id.test(number)).toBe(true)
  })

  it('tells a device from an environment variable at the same place', () => {
    expect(match('GET', `/v1/env/${device}`)).toMatchObject({ params: { device } })
    expect(idOf(match('PUT', '/v1/env/LOG_LEVEL'))).toBe('PUT /v1/env/:key')
    expect(match('PUT', `/v1/env/${'a'.repeat(24)}`)).toEqual({
      kind: 'method',
      allowed: ['GET', 'HEAD', 'PATCH'].toSorted(order),
    })
    expect(match('GET', '/v1/env/render')).toMatchObject({ route: { kind: { kind: 'refused' } } })
  })

  it('P03 anchors grammars on the whole decoded segment', () => {
    const bad = [`${device}/../x`, `${device}\n`, `${device}a`, '', ' ', `${device}%`]
    for (const segment of bad) {
      const found = table.match('GET', ['v1', 'products', '12345', 'devices', segment])
      expect([JSON.stringify(segment), found]).toEqual([
        JSON.stringify(segment),
        { kind: 'bad_parameter', parameter: 'device' },
      ])
    }
  })

  it('P21 takes a slash inside an event name', () => {
    const found = table.match('GET', ['v1', 'products', '12345', 'events', 'spark/status'])
    expect(found).toMatchObject({ kind: 'route', params: { prefix: 'spark/status' } })
  })

  it('serves HEAD by a small GET route and by no stream or download', () => {
    expect(idOf(match('HEAD', `/v1/devices/${device}`))).toBe('GET /v1/devices/:device')
    expect(match('HEAD', '/v1/products/12345/events')).toEqual({
      kind: 'method',
      allowed: ['GET', 'POST'],
    })
    expect(match('HEAD', '/v1/products/12345/firmware/7/binary').kind).toBe('method')
    expect(match('HEAD', `/v1/devices/${device}/unprotect`).kind).toBe('method')
  })

  it('T16 reaches no route of the account', () => {
    for (const [method, path] of [
      ['POST', '/oauth/token'],
      ['GET', '/v1/access_tokens'],
      ['DELETE', '/v1/access_tokens'],
      ['DELETE', `/v1/access_tokens/${'a'.repeat(40)}`],
      ['PUT', '/v1/user'],
      ['DELETE', '/v1/user'],
      ['POST', '/v1/users'],
    ] as const) {
      expect([path, match(method, path)]).toMatchObject([
        path,
        { route: { kind: { kind: 'refused' } } },
      ])
    }
    expect(match('GET', '/v1/user')).toMatchObject({
      route: { kind: { kind: 'self', answer: 'user' } },
    })
    expect(match('DELETE', '/v1/access_tokens/current')).toMatchObject({
      route: { kind: { kind: 'self', answer: 'revoke' } },
    })
  })

  it('P26 answers a path of thousands of segments at once', async () => {
    const long = ['v1', 'devices', ...Array.from({ length: 3000 }, () => 'a-a')]
    const cost = await cpuMs(() => {
      for (let i = 0; i < 100; i += 1) table.match('GET', long)
    })
    expect(cost / 100).toBeLessThan(5)
  })

  it('throws on two routes of one method and path', () => {
    const [route] = catalog.routes
    if (route === undefined) throw new Error('no routes')
    expect(() => createRouteTable({ routes: [route, route] })).toThrow(/two routes/)
  })
})

function match(method: string, path: string): RouteMatch {
  return table.match(method, path.slice(1).split('/'))
}

function idOf(found: RouteMatch): string {
  return found.kind === 'route' ? found.route.id : found.kind
}

/** Methods in the order in which the catalog's routes come. */
function order(a: string, b: string): number {
  const rank = ['GET', 'PATCH', 'HEAD']
  return rank.indexOf(a) - rank.indexOf(b)
}
