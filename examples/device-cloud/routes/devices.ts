/** Reading devices, calling their functions, reading their variables, pinging them. */
import { Router } from 'express'
import { findDevice, findProduct, needs, param, principalOf, reaches } from '../access.ts'
import { bodyOf, textOf } from '../bodies.ts'
import type { Context } from '../context.ts'
import { callFunction, readVariable } from '../device-behaviour.ts'
import { deviceSelector } from '../device-list.ts'
import { paginate } from '../paging.ts'
import { devicePayload, functionNames, serialNumberOf, variableTypes } from '../payloads.ts'
import { failed, notForApiUsers, Refusal } from '../refusals.ts'
import type { Device } from '../state.ts'

const oneDevice = ['/v1/devices/:device', '/v1/products/:product/devices/:device']

export function deviceRoutes({ world, hub }: Context): Router {
  const router = Router()
  const select = deviceSelector(world)

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

function coreInfo(device: Device): Record<string, unknown> {
  return {
    name: device.name,
    deviceID: device.id,
    connected: device.online,
    last_handshake_at: device.lastHandshakeAt,
    last_app: '',
  }
}
