/** Diagnostics, locations and configuration of devices. */
import { Router } from 'express'
import type { Request } from 'express'
import { findDevice, findProduct, needs } from '../access.ts'
import { bodyOf, listOf, textOf } from '../bodies.ts'
import type { Context } from '../context.ts'
import { roll } from '../identity.ts'
import { paginate } from '../paging.ts'
import type { Payload } from '../payloads.ts'
import type { Device, Product } from '../state.ts'

const diagnostics = ['/v1/diagnostics/:device', '/v1/products/:product/diagnostics/:device']
const configurations = ['/v1/products/:product/config', '/v1/products/:product/config/:device']
const schemaType = 'application/schema+json'

export function telemetryRoutes({ world }: Context): Router {
  const router = Router()

  router.get(
    diagnostics.map((path) => `${path}/last`),
    needs('devices.diagnostics:get'),
    (request, response) => {
      const { device } = findDevice(world, request, response)
      response.json({ diagnostics: vitals(device, 0) })
    },
  )

  router.get(diagnostics, needs('devices.diagnostics:get'), (request, response) => {
    const { device } = findDevice(world, request, response)
    if (request.accepts(['json', 'csv']) === 'csv') {
      const rows = [0, 1, 2].map((back) => `${device.id},${vitalsAt(device, back)}`)
      response.type('text/csv').send(['device_id,updated_at', ...rows, ''].join('\n'))
      return
    }
    response.json({ diagnostics: [0, 1, 2].map((back) => vitals(device, back)) })
  })

  router.post(
    diagnostics.map((path) => `${path}/update`),
    needs('devices.diagnostics:update'),
    (request, response) => {
      findDevice(world, request, response)
      response.status(202).json({ ok: true })
    },
  )

  router.get(
    ['/v1/products/:product/locations', '/v1/products/:product/fleet_locations'],
    needs('locations:get'),
    (request, response) => {
      const found = selectLocated(findProduct(world, request, response), request.query)
      const page = paginate(found, request.query, { size: 20, most: 100 })
      response.json({
        locations: page.items.map(location),
        meta: {
          page: page.page,
          per_page: page.perPage,
          total_pages: page.totalPages,
          devices_found: page.total,
        },
      })
    },
  )

  router.get(
    '/v1/products/:product/locations/:device',
    needs('locations:get'),
    (request, response) => {
      const { device } = findDevice(world, request, response)
      response.json({ location: location(device), meta: {} })
    },
  )

  /** Configurations and schemas that were set, by product or device and kind. */
  const stored = new Map<string, unknown>()

  router.get(configurations, needs('configuration:get'), (request, response) => {
    const { key } = configured(request, findProduct(world, request, response))
    if (request.get('accept')?.includes(schemaType)) {
      const schema = stored.get(`${key} schema`) ?? { type: 'object', properties: {} }
      response.type(schemaType).send(JSON.stringify(schema))
      return
    }
    const current = stored.get(key) ?? { location: { interval_max: 3600 } }
    response.json({ configuration: { current, pending: {} } })
  })

  router.put(configurations, needs('configuration:update'), (request, response) => {
    const product = findProduct(world, request, response)
    const device = 'device' in request.params ? findDevice(world, request, response).device : null
    const { key } = configured(request, product)
    if (request.is(schemaType)) {
      stored.set(`${key} schema`, bodyOf(request))
      response.json(bodyOf(request))
      return
    }
    const { deviceIds: _only, ...modules } = bodyOf(request)
    stored.set(key, modules)
    // A device that is there confirms; a fleet, or a device that is away, will hear of it later.
    response.status(device?.online ? 200 : 202).json({ ok: true })
  })

  router.delete(configurations, needs('configuration:update'), (request, response) => {
    const { key } = configured(request, findProduct(world, request, response))
    stored.delete(`${key} schema`)
    response.status(204).end()
  })

  return router
}

function configured(request: { params: object }, product: Product): { key: string } {
  const { device } = request.params as { device?: string }
  return { key: device === undefined ? `product ${product.id}` : `device ${device.toLowerCase()}` }
}

function selectLocated(product: Product, query: Request['query']): readonly Device[] {
  const ids = listOf(query['device_id']).map((id) => id.toLowerCase())
  const groups = listOf(query['groups'])
  const name = textOf(query['device_name']) ?? ''
  if (ids.length === 0 && groups.length === 0 && name === '') return product.devices
  return product.devices.filter(
    (device) =>
      (ids.length === 0 || ids.includes(device.id)) &&
      (groups.length === 0 || groups.some((group) => device.groups.includes(group))) &&
      device.name.includes(name),
  )
}

function location(device: Device): Payload {
  const { origin, index } = device
  const longitude = -122 + roll(origin, index, 21, 1e6) / 1e6
  const latitude = 37 + roll(origin, index, 22, 1e6) / 1e6
  return {
    device_id: device.id,
    product_id: device.productId,
    device_name: device.name,
    groups: [...device.groups],
    gps_lock: true,
    last_heard: device.lastHeard,
    timestamps: [device.lastHeard],
    online: device.online,
    geometry: { type: 'Point', coordinates: [longitude, latitude] },
  }
}

function vitalsAt(device: Device, back: number): string {
  return new Date(Date.parse(device.lastHeard) - back * 3_600_000).toISOString()
}

function vitals(device: Device, back: number): Payload {
  const signal = -60 - roll(device.origin, device.index + back, 23, 40)
  return {
    device_id: device.id,
    updated_at: vitalsAt(device, back),
    payload: {
      device: {
        network: { signal: { strengthv: signal, qualityv: 20 } },
        power: { battery: { charge: { value: device.battery }, state: 'CHARGED' } },
        system: { uptime: 3600 * (1 + back), memory: { used: 80_000, total: 160_000 } },
      },
      service: { cloud: { uptime: 3600, publish: { sent: 12 } }, coap: { round_trip: 120 } },
    },
  }
}
