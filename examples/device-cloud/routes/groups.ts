/** The named groups of a product. */
import { Router } from 'express'
import { findProduct, needs, param } from '../access.ts'
import { bodyOf, textOf } from '../bodies.ts'
import type { Context } from '../context.ts'
import type { Payload } from '../payloads.ts'
import { failed } from '../refusals.ts'
import type { Group, Product } from '../state.ts'

const all = '/v1/products/:product/groups'
const one = `${all}/:group`

export function groupRoutes({ world }: Context): Router {
  const router = Router()

  router.get(all, needs('groups:list'), (request, response) => {
    const product = findProduct(world, request, response)
    const part = textOf(request.query['name']) ?? ''
    const found = [...product.groups.values()].filter(({ name }) => name.includes(part))
    const sizes = sizesIn(product)
    response.json({ groups: found.map((group) => present(group, sizes)) })
  })

  router.get(one, needs('groups:get'), (request, response) => {
    const product = findProduct(world, request, response)
    response.json({ group: present(groupOf(product, param(request, 'group')), sizesIn(product)) })
  })

  router.post(all, needs('groups:create'), (request, response) => {
    const product = findProduct(world, request, response)
    const { name, color, description } = bodyOf(request)
    const group: Group = {
      name: freeName(product, name),
      color: textOf(color) ?? '#00e1ff',
      description: textOf(description) ?? '',
      firmwareVersion: null,
    }
    product.groups.set(group.name, group)
    response.status(201).json({ group: present(group, sizesIn(product)) })
  })

  router.put(one, needs('groups:update'), (request, response) => {
    const product = findProduct(world, request, response)
    const group = groupOf(product, param(request, 'group'))
    const { name, color, description } = bodyOf(request)
    if (name !== undefined && name !== group.name) rename(product, group, freeName(product, name))
    group.color = textOf(color) ?? group.color
    group.description = textOf(description) ?? group.description
    response.json({ group: present(group, sizesIn(product)) })
  })

  router.delete(one, needs('groups:remove'), (request, response) => {
    const product = findProduct(world, request, response)
    const { name } = groupOf(product, param(request, 'group'))
    product.groups.delete(name)
    for (const device of product.devices) {
      device.groups = device.groups.filter((each) => each !== name)
    }
    response.status(204).end()
  })

  return router
}

function groupOf(product: Product, name: string): Group {
  const group = product.groups.get(name)
  if (!group) throw failed(404, 'Group not found')
  return group
}

function freeName(product: Product, name: unknown): string {
  const text = textOf(name)
  if (text === undefined || text === '') throw failed(400, 'Missing group name')
  if (product.groups.has(text)) throw failed(400, 'Group already exists')
  return text
}

function rename(product: Product, group: Group, name: string): void {
  for (const device of product.devices) {
    device.groups = device.groups.map((each) => (each === group.name ? name : each))
  }
  product.groups.delete(group.name)
  group.name = name
  product.groups.set(name, group)
}

function sizesIn({ devices }: Product): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>()
  for (const { groups } of devices) {
    for (const name of groups) sizes.set(name, (sizes.get(name) ?? 0) + 1)
  }
  return sizes
}

function present(
  { name, color, description, firmwareVersion }: Group,
  sizes: ReadonlyMap<string, number>,
): Payload {
  return {
    name,
    color,
    description,
    fw_version: firmwareVersion,
    device_count: sizes.get(name) ?? 0,
  }
}
