/** What a product has besides devices: customers, and integrations with their older name webhooks. */
import { randomBytes } from 'node:crypto'
import { Router } from 'express'
import type { Request, Response } from 'express'
import { findProduct, needs, param } from '../access.ts'
import { bodyOf, textOf } from '../bodies.ts'
import type { Context } from '../context.ts'
import { paginate } from '../paging.ts'
import type { Payload } from '../payloads.ts'
import { failed } from '../refusals.ts'
import type { Integration } from '../state.ts'

const publicUrl = 'https://api.particle.io'

export function productDataRoutes({ world }: Context): Router {
  const router = Router()

  router.get('/v1/products/:product/customers', needs('customers:list'), (request, response) => {
    const product = findProduct(world, request, response)
    const { items, totalPages } = paginate(product.customers, request.query)
    const devices = product.devices.filter(({ owner }) =>
      items.some(({ email }) => email === owner),
    )
    response.json({
      customers: items.map(({ id, email }) => ({
        id,
        username: email,
        devices: devices.filter(({ owner }) => owner === email).map((device) => device.id),
      })),
      devices: devices.map(({ id, name, productId }) => ({ id, name, product_id: productId })),
      meta: { total_pages: totalPages },
    })
  })

  for (const [noun, key, link] of [
    ['integrations', 'integration', 'integrationUrl'],
    ['webhooks', 'webhook', 'hookUrl'],
  ] as const) {
    const all = `/v1/products/:product/${noun}`

    router.get(all, needs('integrations:list'), (request, response) => {
      const product = findProduct(world, request, response)
      response.json([...product.integrations.values()].map(present))
    })

    router.get(`${all}/:integration`, needs('integrations:get'), (request, response) => {
      const integration = integrationOf(request, response)
      response.json({ [key]: { ...present(integration), logs: [], counters: [] } })
    })

    router.post(all, needs('integrations:create'), (request, response) => {
      const product = findProduct(world, request, response)
      const { event, integration_type: type, ...settings } = bodyOf(request)
      if (typeof event !== 'string' || event === '') throw failed(400, 'Missing event')
      const integration: Integration = {
        id: randomBytes(12).toString('hex'),
        productId: product.id,
        createdAt: new Date().toISOString(),
        settings: { ...settings, event, integration_type: textOf(type) ?? 'Webhook' },
      }
      product.integrations.set(integration.id, integration)
      const path = request.path.replace(/\/$/, '')
      response.status(201).json({
        ok: true,
        ...present(integration),
        [link]: `${publicUrl}${path}/${integration.id}`,
      })
    })

    router.delete(`${all}/:integration`, needs('integrations:remove'), (request, response) => {
      const { id } = integrationOf(request, response)
      findProduct(world, request, response).integrations.delete(id)
      response.status(204).end()
    })
  }

  function integrationOf(request: Request, response: Response): Integration {
    const product = findProduct(world, request, response)
    const integration = product.integrations.get(param(request, 'integration'))
    if (!integration) throw failed(404, 'Webhook not found')
    return integration
  }

  return router
}

function present({ id, productId, createdAt, settings }: Integration): Payload {
  return { ...settings, id, product_id: productId, created_at: createdAt }
}
