import { describe, expect, it } from 'vitest'
import { createRouteTable } from '../../../src/catalog/route-table.ts'
import type { DevicePlace, Route } from '../../../src/domain/catalog.ts'
import { deedsAsked, particleCatalog, takesFile } from '../../kit/catalog.ts'

const catalog = particleCatalog()
const table = createRouteTable(catalog)
const device = '0123456789abcdef01234567'
const json = 'application/json'
const multipart = 'multipart/form-data'
const schema = 'application/schema+json'

describe('the Particle catalog', () => {
  it('sends a device form on in the product form', () => {
    const forms = [
      ['GET', `/v1/devices/${device}`, '/v1/products/:product/devices/:device'],
      ['DELETE', `/v1/devices/${device}`, '/v1/products/:product/devices/:device/owner'],
      ['POST', `/v1/devices/${device}/reboot`, '/v1/products/:product/devices/:device/:function'],
      ['GET', `/v1/devices/${device}/events`, '/v1/products/:product/devices/:device/events'],
      [
        'GET',
        `/v1/orgs/acme/devices/${device}/events/temp`,
        '/v1/products/:product/devices/:device/events/:prefix',
      ],
      ['GET', '/v1/orgs/acme/products/12345/events', '/v1/products/:product/events'],
    ] as const
    for (const [method, path, upstream] of forms) {
      expect([path, routeOf(method, path).upstream.text]).toEqual([path, upstream])
    }
  })

  it('keeps a form whose product nobody can know', () => {
    expect(routeOf('GET', '/v1/orgs/acme/ledgers').upstream.text).toBe(
      '/v1/orgs/:organization/ledgers',
    )
    expect(routeOf('GET', `/v1/env/${device}`).upstream.text).toBe('/v1/env/:device')
    expect(routeOf('PUT', `/v1/devices/${device}/backup_files`).upstream.text).toBe(
      '/v1/devices/:device/backup_files',
    )
  })

  it('tells the deeds of a device update by its keys', () => {
    const path = `/v1/products/12345/devices/${device}`
    expect(meant('PUT', path, { body: ['name'] })).toEqual(['devices:update.name'])
    expect(meant('PUT', path, { body: ['groups', 'notes'] })).toEqual([
      'devices:update.notes',
      'devices:update.groups',
    ])
    expect(meant('PUT', path, { body: ['desired_firmware_version', 'flash'] })).toEqual([
      'devices:update.firmware_version',
      'devices:update.flash',
    ])
    expect(meant('PUT', path, { contentType: multipart })).toEqual(['devices:update.flash'])
    expect(meant('PUT', path, { body: [] })).toEqual([])
    expect(meant('PUT', path, { body: ['product_id'] })).toEqual([])
  })

  it('offers conditions on the parts of an upload that is read whole, and on no others', () => {
    const values = (name: string) =>
      Object.fromEntries(catalog.actions.get(name)?.values ?? [['missing', 'string']])
    expect(values('firmware:create')).toEqual({})
    expect(values('devices:import.file')).toEqual({
      claim_user: 'string',
      file: 'strings',
      import_sims: 'string',
    })
    expect(values('devices:import.ids')).toHaveProperty('claim_user', 'string')
  })

  it('reads files of ids whole, and takes such a file for a deed only where it is there', () => {
    for (const [path, deed] of [
      ['/v1/products/12345/devices', 'devices:import.file'],
      ['/v1/products/12345/sims', 'sims:import.file'],
    ] as const) {
      const { body, way } = routeOf('POST', path)
      expect([way, takesFile(body, 'file'), takesFile(body, 'other')]).toEqual([
        'small',
        true,
        false,
      ])
      expect(meant('POST', path, { contentType: multipart, files: ['file'] })).toEqual([deed])
      expect(meant('POST', path, { contentType: multipart })).toEqual([])
    }
    expect(catalog.actions.get('devices:import.file')?.onDevice).toBe(true)
    expect(catalog.actions.get('sims:import.file')?.onDevice).toBe(false)
  })

  it('gives every key of a device update a deed of its own', () => {
    const { body, deeds } = routeOf('PUT', `/v1/devices/${device}`)
    const keys =
      body.kind === 'choice'
        ? body.of.flatMap((b) => (b.kind === 'fields' ? [...b.keys.keys()] : []))
        : []
    expect(keys.length).toBeGreaterThan(0)
    expect(keys.filter((key) => !deeds.some((deed) => deed.keys.includes(key)))).toEqual([])
  })

  it('tells configuration from its schema by media type', () => {
    const path = '/v1/products/12345/config'
    expect(meant('GET', path, {})).toEqual(['configuration:get.product'])
    expect(meant('GET', path, { accept: schema })).toEqual(['configuration:get.product_schema'])
    expect(meant('PUT', path, { contentType: json })).toEqual(['configuration:update.product'])
    expect(meant('PUT', path, { contentType: schema })).toEqual([
      'configuration:update.product_schema',
    ])
    expect(meant('PUT', path, { contentType: 'application/x-www-form-urlencoded' })).toEqual([])
    expect(meant('DELETE', `${path}/${device}`, { contentType: schema })).toEqual([
      'configuration:update.device_schema',
    ])
  })

  it('decides on every device that a body or query names', () => {
    const written = ({ key, list, absent, or }: DevicePlace) =>
      key + (list ? '[]' : '') + (absent === undefined ? '' : `=${[absent, ...(or ?? [])].join()}`)
    const places = catalog.routes
      .filter((route) => route.devices.length > 0)
      .map(({ id, devices }) => `${id}: ${devices.map(written).join(' ')}`)
    expect(places).toEqual([
      'PUT /v1/products/:product/devices: devices[]',
      'POST /v1/products/:product/devices: id ids[] file[]',
      'POST /v1/products/:product/registration_code: device_id',
      'POST /v1/products/:product/events: as_device_id',
      'PUT /v1/products/:product/config: deviceIds[]=all',
      'POST /v1/products/:product/integrations: deviceID=all,deviceid deviceid deviceId',
      'POST /v1/orgs/:organization/integrations: deviceID=all,deviceid deviceid deviceId',
      'POST /v1/products/:product/webhooks: deviceId=all deviceID deviceid',
      'PUT /v1/products/:product/integrations/:integration: deviceID=all,deviceid deviceid deviceId',
      'PUT /v1/orgs/:organization/integrations/:integration: deviceID=all,deviceid deviceid deviceId',
      'POST /v1/products/:product/integrations/:integration/test: device_id',
      'POST /v1/orgs/:organization/integrations/:integration/test: device_id',
      'POST /v1/orgs/:organization/service_agreements/:agreement/usage_reports: devices[]=all',
    ])
  })

  it('takes only the batch deed it knows', () => {
    const { body } = routeOf('PUT', '/v1/products/12345/devices')
    expect(body.kind === 'fields' && body.keys.get('action')?.only).toEqual(['groups'])
  })

  it('strips the secret of a device from every answer that shows one', () => {
    const showing = catalog.routes.filter(({ deeds }) =>
      deeds.some(({ action }) => /^devices:(list|get|update)/.test(action)),
    )
    const without = showing
      .filter(({ answer }) => !('secrets' in answer && answer.secrets.includes('mobile_secret')))
      .map(({ id }) => id)
    expect(showing.length).toBeGreaterThan(4)
    expect(without).toEqual(['PUT /v1/products/:product/devices'])
  })

  it('T16 lets no wildcard reach what hands out credentials or rights', () => {
    const guarded = [...catalog.actions.values()]
      .filter(({ classes }) => classes.includes('escalates') || classes.includes('secret'))
      .map(({ name }) => name)
    for (const route of catalog.routes) {
      const account = /\/(team|clients|secrets|logic\/execute|unprotect)\b/.test(route.id)
      const reads = route.method === 'GET' && route.id.includes('/clients')
      if (
        !account ||
        reads ||
        route.kind.kind !== 'upstream' ||
        route.id.startsWith('DELETE /v1/products/:product/clients')
      )
        continue
      for (const { action } of route.deeds)
        expect([route.id, guarded.includes(action)]).toEqual([route.id, true])
    }
    expect(guarded).not.toContain('devices:get')
    expect(guarded).not.toContain('devices.function:call')
  })

  it('says of each action that writes an attribute that it does', () => {
    const writers = [...catalog.actions.values()].filter(({ writes }) => writes.length > 0)
    expect(writers.map(({ name, writes }) => `${name}: ${writes.join(' ')}`)).toEqual([
      'devices:update.groups: groups',
      'devices:update.development: development',
      'devices:update.firmware_version: desired_firmware_version firmware_version',
      'devices:update.firmware_force: firmware_version',
      'devices:update.flash: firmware_version',
      'devices:remove.device: product',
      'devices:remove.deny: quarantined',
      'devices:import.ids: product quarantined',
      'devices:import.file: product quarantined',
      'firmware:release: firmware_version',
      'groups:update: groups',
      'groups:remove: groups',
    ])
  })

  it('gives every action a class and a plain sentence', () => {
    for (const { name, says, classes } of catalog.actions.values()) {
      expect([name, classes.length > 0]).toEqual([name, true])
      expect(`${name}: ${says}`).toMatch(/: [A-Z].*\.$/)
    }
  })

  it('never makes a condition of a name that anybody can change', () => {
    expect(catalog.resources.device.attributes.has('name')).toBe(false)
    expect(catalog.resources.device.attributes.get('groups')?.type).toBe('strings')
  })

  it('asks an event stream by the beginning of names', () => {
    const [deed] = routeOf('GET', '/v1/products/12345/events/temp').deeds
    expect(deed?.fields).toEqual({ events: { in: 'path', key: 'prefix', prefix: true } })
    expect(routeOf('GET', '/v1/products/12345/events').deeds[0]?.fields).toEqual({})
  })

  it('streams what is not bounded', () => {
    for (const route of catalog.routes.filter(({ kind }) => kind.kind === 'upstream')) {
      const { body, answer } = route
      const options = body.kind === 'choice' ? body.of : [body]
      const uploads = options.some(({ kind }) => kind === 'multipart' || kind === 'raw')
      const streams = uploads || answer.kind === 'stream' || answer.kind === 'opaque'
      expect([route.id, route.way]).toEqual([route.id, streams ? 'streaming' : 'small'])
    }
  })

  it('is served by no route without a resource, but for the few that are meant', () => {
    const open = catalog.routes
      .filter(
        ({ kind, pattern }) =>
          kind.kind === 'upstream' &&
          !pattern.segments.some(
            (s) => 'parameter' in s && ['organization', 'product', 'device'].includes(s.parameter),
          ),
      )
      .map(({ id }) => id)
    expect(open).toEqual([
      'GET /v1/devices',
      'GET /v1/orgs',
      'GET /v1/user/products',
      'GET /v1/products',
      'POST /v1/binaries',
      'GET /v1/binaries/:binary',
      'GET /v1/build_targets',
      'GET /v1/device-os/versions',
      'GET /v1/device-os/versions/:os_version',
    ])
  })
})

function routeOf(method: string, path: string): Route {
  const found = table.match(method, path.slice(1).split('/'))
  if (found.kind !== 'route') throw new Error(`${method} ${path}: ${found.kind}`)
  return found.route
}

function meant(
  method: string,
  path: string,
  request: { body?: string[]; files?: string[]; contentType?: string; accept?: string },
): string[] {
  return deedsAsked(routeOf(method, path), request).map(({ action }) => action)
}
