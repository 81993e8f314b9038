/** Everything that changes a device or its place in a product. */
import { Router } from 'express'
import type { Response } from 'express'
import { findDevice, findProduct, needs, principalOf } from '../access.ts'
import { bodyOf, filesOf, isTrue, listOf, textOf } from '../bodies.ts'
import type { Context } from '../context.ts'
import { flash } from '../device-behaviour.ts'
import { isDeviceId } from '../identity.ts'
import { devicePayload } from '../payloads.ts'
import type { DeviceForm, Payload } from '../payloads.ts'
import { failed, permissionDenied, Refusal } from '../refusals.ts'
import { newDevice } from '../seed.ts'
import type { Device, Product } from '../state.ts'

const oneDevice = ['/v1/devices/:device', '/v1/products/:product/devices/:device']

export function deviceChangeRoutes({ world, hub }: Context): Router {
  const router = Router()

  router.put(oneDevice, needs('devices:update'), (request, response) => {
    const { device, form } = findDevice(world, request, response)
    const body = bodyOf(request)
    if (filesOf(response).length > 0) {
      flashUpload(device, response)
      return
    }
    if ('signal' in body) {
      signal(device, isTrue(body['signal']), response)
      return
    }
    const changed = change(device, form, body)
    response.json({ id: device.id, ...changed, updated_at: new Date().toISOString() })
  })

  function flashUpload(device: Device, response: Response): void {
    if (!device.online) throw new Refusal(500, { ok: false, errors: ['Device is not online.'] })
    flash(hub, device, null)
    response.json({ ok: true, id: device.id, status: 'Update started' })
  }

  /** An unreachable device is told with status 200: `ok` is what counts. */
  function signal(device: Device, signaling: boolean, response: Response): void {
    if (!device.online) response.json({ ok: false, errors: ['Device is not online.'] })
    else response.json({ id: device.id, connected: true, signaling })
  }

  /** Applies every deed the body asks for and returns the keys that speak of them. */
  function change(device: Device, form: DeviceForm, body: Record<string, unknown>): Payload {
    const keys = Object.keys(form === 'product' ? productDeeds : sharedDeeds)
    const asked = keys.filter((key) => key in body)
    if (asked.length === 0) throw failed(400, 'Nothing to do?')
    const product = world.productOf(device)
    for (const key of asked) productDeeds[key]?.(device, body[key], body, product)
    const payload = devicePayload(device, 'product')
    return Object.fromEntries(asked.map((key) => [key, payload[key]]))
  }

  type Deed = (
    device: Device,
    value: unknown,
    body: Record<string, unknown>,
    product: Product | undefined,
  ) => void

  const sharedDeeds: Record<string, Deed> = {
    name: (device, value) => {
      const name = textOf(value)
      if (name === undefined || name === '') throw failed(400, 'Invalid device name')
      world.rename(device, name)
    },
    notes: (device, value) => {
      device.notes = textOf(value) ?? null
    },
    firmware_updates_forced: (device, value) => {
      device.firmwareUpdatesForced = isTrue(value)
    },
  }
  const productDeeds: Record<string, Deed> = {
    ...sharedDeeds,
    development: (device, value) => {
      device.development = isTrue(value)
    },
    groups: (device, value, _body, product) => {
      device.groups = knownGroups(product, listOf(value))
    },
    desired_firmware_version: (device, value, body, product) => {
      const version = value === null || value === '' ? null : Number(value)
      if (version !== null && !product?.firmware.has(version)) {
        throw failed(400, 'Unknown firmware version')
      }
      device.desiredFirmwareVersion = version
      if (isTrue(body['flash']) && version !== null && device.online) flash(hub, device, version)
    },
  }

  router.put('/v1/products/:product/devices', needs('devices:update'), (request, response) => {
    const product = findProduct(world, request, response)
    const { action, devices, metadata } = bodyOf(request)
    if (action !== 'groups') throw failed(400, 'Unknown action')
    const { add, remove } = Object(metadata) as { add?: unknown; remove?: unknown }
    const added = knownGroups(product, listOf(add))
    const removed = new Set(listOf(remove))
    const members = listOf(devices).map((id) => world.device(id))
    for (const member of members) if (member?.productId !== product.id) throw permissionDenied()
    for (const member of members) {
      if (!member) continue
      member.groups = [...new Set([...member.groups, ...added])].filter(
        (name) => !removed.has(name),
      )
    }
    response.json({ ok: true })
  })

  router.post('/v1/products/:product/devices', needs('devices:import'), (request, response) => {
    const product = findProduct(world, request, response)
    const { id, ids } = bodyOf(request)
    const uploaded = filesOf(response).flatMap(({ data }) => linesOf(data))
    const asked = [...listOf(id), ...listOf(ids), ...uploaded]
    if (asked.length === 0) throw failed(400, 'No device ids given')
    response.json(importDevices(product, asked))
  })

  function importDevices(product: Product, asked: string[]): Payload {
    const updatedDeviceIds: string[] = []
    const existingDeviceIds: string[] = []
    const nonmemberDeviceIds: string[] = []
    const invalidDeviceIds: string[] = []
    for (const id of asked) {
      const known = world.device(id)
      if (!isDeviceId(id)) invalidDeviceIds.push(id)
      else if (known?.productId === product.id) existingDeviceIds.push(known.id)
      else if (known && known.productId !== null) nonmemberDeviceIds.push(known.id)
      else updatedDeviceIds.push(enlist(product, known, id.toLowerCase()).id)
    }
    return {
      updated: updatedDeviceIds.length,
      updatedDeviceIds,
      existingDeviceIds,
      nonmemberDeviceIds,
      invalidDeviceIds,
      protectedDeviceIds: [],
    }
  }

  function enlist(product: Product, known: Device | undefined, id: string): Device {
    if (known) {
      world.move(known, product)
      return known
    }
    // Far above the seeded places, so that no made-up trait is used twice.
    imported += 1
    const device = newDevice(product, 500_000 + imported, new Date(), id)
    world.addDevice(device)
    return device
  }
  let imported = 0

  router.delete(
    '/v1/products/:product/devices/:device',
    needs('devices:remove'),
    (request, response) => {
      const { device } = findDevice(world, request, response)
      if (isTrue(bodyOf(request)['deny'])) {
        device.denied = true
        device.quarantined = true
      } else {
        world.move(device, null)
      }
      response.status(204).end()
    },
  )

  router.delete(
    ['/v1/devices/:device', '/v1/products/:product/devices/:device/owner'],
    needs('devices:release'),
    (request, response) => {
      findDevice(world, request, response).device.owner = null
      response.json({ ok: true })
    },
  )

  router.post('/v1/devices', needs(null), (request, response) => {
    const device = world.device(textOf(bodyOf(request)['id']) ?? '')
    if (!device) throw new Refusal(404, { ok: false, errors: ['device does not exist'] })
    device.owner = principalOf(response).name
    response.json({ ok: true, id: device.id, connected: device.online })
  })

  return router
}

/** A file of ids, one a line. */
function linesOf(data: Buffer): string[] {
  const lines = data.toString().split(/\r?\n/)
  return lines.map((line) => line.trim()).filter((line) => line !== '')
}

function knownGroups(product: Product | undefined, names: string[]): string[] {
  const unknown = names.find((name) => !product?.groups.has(name))
  if (unknown !== undefined) throw failed(400, `Group ${unknown} not found`)
  return [...new Set(names)]
}
