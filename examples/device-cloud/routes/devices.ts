/** Reading devices, calling their functions, reading their variables, pinging them. */
import { Router } from 'express'
import type { Request } from 'express'
import { findDevice, findProduct, needs, param, principalOf, reaches } from '../access.ts'
import { bodyOf, isTrue, listOf, textOf } from '../bodies.ts'
import type { Context } from '../context.ts'
import { callFunction, readVariable } from '../device-behaviour.ts'
import { paginate } from '../paging.ts'
import { devicePayload, functionNames, serialNumberOf, variableTypes } from '../payloads.ts'
import { failed, notForApiUsers, Refusal } from '../refusals.ts'
import type { Device, Product } from '../state.ts'

const oneDevice = ['/v1/devices/:device', '/v1/products/:product/devices/:device']

export function deviceRoutes({ world, hub }: Context): Router {
  const router = Router()

  router.get('/v1/devices', needs('devices:get'), (_request, response) => {
    const principal = principalOf(response)
    if (principal.kind === 'api_user') throw notForApiUsers()
    const own = [...world.devices()].filter(({ owner }) => owner === principal.name)
    response.json(own.map((device) => devicePayload(device, 'user')))
  })

  router.get('/v1/products/:product/devices', needs('devices:list'), (request, response) => {
    const product = findProduct(world, request, response)
    const { items, totalPages } = paginate(select(product, request.query), request.query)
    const owners = new Set(items.map(({ owner }) => owner))
    response.json({
      devices: items.map((device) => devicePayload(device, 'product')),
      customers: product.customers
        .filter(({ email }) => owners.has(email))
        .map(({ id, email }) => ({ id, username: email })),
      meta: { total_pages: totalPages },
    })
  })

  router.get(oneDevice, needs('devices:get'), (request, response) => {
    const { device, form } = findDevice(world, request, response)
    response.json(devicePayload(device, form))
  })

  router.get('/v1/serial_numbers/:serial', needs(null), (request, response) => {
    const serial = param(request, 'serial')
    const device = [...world.devices()].find((each) => serialNumberOf(each) === serial)
    if (!device || !reaches(principalOf(response), device)) {
      throw failed(404, 'Serial number not found')
    }
    response.json({ ok: true, deviceID: device.id })
  })

  router.get(
    oneDevice.map((path) => `${path}/:variable`),
    needs('devices.variable:get'),
    (request, response) => {
      const { device } = findDevice(world, request, response)
      const name = param(request, 'variable')
      if (!Object.hasOwn(variableTypes, name)) throw failed(404, 'Variable not found')
      if (!device.online) throw new Refusal(408, { error: 'Timed out.' })
      const result = readVariable(device, name)
      if (request.query['format'] === 'raw') {
        response.json(result)
        return
      }
      response.json({ name, result, coreInfo: coreInfo(device) })
    },
  )

  router.put(
    oneDevice.map((path) => `${path}/ping`),
    needs('devices:ping'),
    (request, response) => {
      const { device } = findDevice(world, request, response)
      response.json({ online: device.online, ok: true })
    },
  )

  router.post(
    oneDevice.map((path) => `${path}/:function`),
    needs('devices.function:call'),
    (request, response) => {
      const { device } = findDevice(world, request, response)
      const name = param(request, 'function')
      if (!functionNames.includes(name)) throw failed(404, `Function ${name} not found`)
      if (!device.online) throw failed(400, 'Timed out.')
      const { args, arg, format } = bodyOf(request)
      const returned = callFunction(hub, device, name, textOf(args ?? arg) ?? '')
      if (format === 'raw' || request.query['format'] === 'raw') {
        response.json(returned)
        return
      }
      const { id, name: deviceName } = device
      response.json({ id, name: deviceName, connected: true, return_value: returned })
    },
  )

  return router
}

/** The list filters; texts match in part, as the cloud's do. */
function select(product: Product, query: Request['query']): readonly Device[] {
  const groups = listOf(query['groups'])
  const tests: ((device: Device) => boolean)[] = []
  const id = textOf(query['deviceId'])?.toLowerCase()
  const name = textOf(query['deviceName'])
  const serial = textOf(query['serialNumber'])
  if (id !== undefined) tests.push((device) => device.id.includes(id))
  if (name !== undefined) tests.push((device) => device.name.includes(name))
  if (serial !== undefined) tests.push((device) => serialNumberOf(device).includes(serial))
  if (groups.length > 0) tests.push((device) => groups.some((each) => device.groups.includes(each)))
  if (query['quarantined'] !== undefined) {
    const wanted = isTrue(query['quarantined'])
    tests.push((device) => device.quarantined === wanted)
  }
  const found =
    tests.length === 0 ? product.devices : product.devices.filter((d) => tests.every((t) => t(d)))
  return sorted(found, query)
}

const sortKeys: Readonly<Record<string, (device: Device) => string | number>> = {
  deviceId: ({ id }) => id,
  deviceName: ({ name }) => name,
  firmwareVersion: ({ firmwareVersion }) => firmwareVersion,
  lastConnection: ({ lastHeard }) => lastHeard,
}

function sorted(devices: readonly Device[], query: Request['query']): readonly Device[] {
  const key = sortKeys[textOf(query['sortAttr']) ?? '']
  if (!key) return devices
  const direction = query['sortDir'] === 'desc' ? -1 : 1
  return devices.toSorted((one, other) => {
    const [left, right] = [key(one), key(other)]
    return left === right ? 0 : left < right ? -direction : direction
  })
}

function coreInfo(device: Device): Record<string, unknown> {
  return {
    name: device.name,
    deviceID: device.id,
    connected: device.online,
    last_handshake_at: device.lastHandshakeAt,
    last_app: '',
  }
}
