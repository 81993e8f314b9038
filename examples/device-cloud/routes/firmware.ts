/** Product firmware: upload, list, release, change, delete, download. */
import { Router } from 'express'
import { findProduct, needs, param } from '../access.ts'
import { bodyOf, filesOf, isTrue, listOf, textOf } from '../bodies.ts'
import type { Context } from '../context.ts'
import { flash } from '../device-behaviour.ts'
import { objectIdOf } from '../identity.ts'
import type { Payload } from '../payloads.ts'
import { failed } from '../refusals.ts'
import type { Firmware, Product } from '../state.ts'

const all = '/v1/products/:product/firmware'
const one = `${all}/:version`

export function firmwareRoutes({ world, hub }: Context): Router {
  const router = Router()

  router.get(all, needs('firmware:list'), (request, response) => {
    const product = findProduct(world, request, response)
    response.json([...product.firmware.values()].map((firmware) => present(product, firmware)))
  })

  router.get(one, needs('firmware:get'), (request, response) => {
    const product = findProduct(world, request, response)
    response.json(present(product, firmwareOf(product, param(request, 'version'))))
  })

  router.get(`${one}/binary`, needs('firmware.binary:get'), (request, response) => {
    const product = findProduct(world, request, response)
    const { binary, name } = firmwareOf(product, param(request, 'version'))
    response.attachment(name).type('application/octet-stream').send(binary)
  })

  router.post(all, needs('firmware:create'), (request, response) => {
    const product = findProduct(world, request, response)
    const { version: asked, title, description, mandatory } = bodyOf(request)
    const upload = filesOf(response).find(({ field }) => field === 'file' || field === 'binary')
    const version = Number(asked)
    if (!Number.isInteger(version) || version < 1) throw failed(400, 'Missing firmware version')
    if (!upload) throw failed(400, 'Missing firmware binary')
    if (product.firmware.has(version)) throw failed(400, 'Firmware version already exists')
    const firmware: Firmware = {
      id: objectIdOf(product.id, version, 31),
      version,
      title: textOf(title) ?? '',
      description: textOf(description) ?? '',
      mandatory: isTrue(mandatory),
      productDefault: false,
      groups: [],
      name: upload.filename,
      binary: upload.data,
      uploadedAt: new Date().toISOString(),
    }
    product.firmware.set(version, firmware)
    response.status(201).json(present(product, firmware))
  })

  // Before the version route: a release is no version.
  router.put(`${all}/release`, needs('firmware:release'), (request, response) => {
    const product = findProduct(world, request, response)
    const { version, product_default: isDefault, groups, intelligent } = bodyOf(request)
    const firmware = firmwareOf(product, textOf(version) ?? '')
    const names = listOf(groups)
    const unknown = names.find((name) => !product.groups.has(name))
    if (unknown !== undefined) throw failed(400, `Group ${unknown} not found`)
    if (isTrue(isDefault)) {
      for (const other of product.firmware.values()) other.productDefault = other === firmware
    }
    for (const name of names) releaseToGroup(product, firmware, name)
    if (isTrue(intelligent)) updateNow(product, firmware, names)
    response.json(present(product, firmware))
  })

  /** An intelligent release does not wait for the next time a device connects. */
  function updateNow(product: Product, { version }: Firmware, groups: string[]): void {
    for (const device of product.devices) {
      const isMeant = groups.length === 0 || device.groups.some((name) => groups.includes(name))
      const isFree = device.desiredFirmwareVersion === null && !device.development
      if (isMeant && isFree && device.online) flash(hub, device, version)
    }
  }

  router.put(one, needs('firmware:update'), (request, response) => {
    const product = findProduct(world, request, response)
    const firmware = firmwareOf(product, param(request, 'version'))
    const { title, description, mandatory } = bodyOf(request)
    firmware.title = textOf(title) ?? firmware.title
    firmware.description = textOf(description) ?? firmware.description
    if (mandatory !== undefined) firmware.mandatory = isTrue(mandatory)
    response.json(present(product, firmware))
  })

  router.delete(one, needs('firmware:remove'), (request, response) => {
    const product = findProduct(world, request, response)
    const { version, productDefault, groups } = firmwareOf(product, param(request, 'version'))
    if (productDefault || groups.length > 0) throw failed(400, 'Firmware version is released')
    product.firmware.delete(version)
    response.status(204).end()
  })

  return router
}

function firmwareOf(product: Product, version: string): Firmware {
  const firmware = product.firmware.get(Number(version))
  if (!firmware) throw failed(404, 'Firmware not found')
  return firmware
}

function releaseToGroup(product: Product, firmware: Firmware, name: string): void {
  for (const other of product.firmware.values()) {
    other.groups = other.groups.filter((group) => group !== name)
  }
  firmware.groups.push(name)
  const group = product.groups.get(name)
  if (group) group.firmwareVersion = firmware.version
}

function present(product: Product, firmware: Firmware): Payload {
  const { id, version, title, description, mandatory, productDefault, groups, name } = firmware
  return {
    _id: id,
    version,
    title,
    description,
    name,
    size: firmware.binary.length,
    mandatory,
    product_id: product.id,
    product_default: productDefault,
    current: productDefault,
    groups: [...groups],
    device_count: product.devices.filter((device) => device.firmwareVersion === version).length,
    uploaded_at: firmware.uploadedAt,
  }
}
