/** Event streams and publishing: server-sent events in every form of path the cloud has. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { findDevice, findOrganization, findProduct, needs, param, principalOf } from '../access.ts'
import { bodyOf, textOf } from '../bodies.ts'
import type { Context } from '../context.ts'
import type { CloudEvent, Interest } from '../event-hub.ts'
import { failed, permissionDenied } from '../refusals.ts'

export function eventRoutes({ world, hub }: Context): Router {
  const router = Router()

  function stream(request: Request, response: Response, wants: Interest): void {
    const prefix = param(request, 'prefix')
    const token = String(response.locals['token'])
    if (request.method === 'HEAD') {
      response.type('text/event-stream').end()
      return
    }
    hub.open(response, token, (event) => event.name.startsWith(prefix) && wants(event))
  }

  /** What a person sees without naming a product: events of own devices, and own publishes. */
  function ofPublisher(response: Response): Interest {
    const { name } = principalOf(response)
    return ({ owner }) => owner === name
  }

  router.get('/v1/events', needs(null), () => {
    throw failed(400, 'event prefix filter is required')
  })
  router.get('/v1/events/:prefix', needs(null), (request, response) => {
    stream(request, response, ofPublisher(response))
  })
  router.get('/v1/devices/events{/:prefix}', needs(null), (request, response) => {
    stream(request, response, ofPublisher(response))
  })
  router.get(
    [
      '/v1/devices/:device/events{/:prefix}',
      '/v1/products/:product/devices/:device/events{/:prefix}',
    ],
    needs('events:get'),
    (request, response) => {
      const { device } = findDevice(world, request, response)
      stream(request, response, ({ coreid }) => coreid === device.id)
    },
  )
  router.get('/v1/products/:product/events{/:prefix}', needs('events:get'), (request, response) => {
    const { id } = findProduct(world, request, response)
    stream(request, response, ({ productId }) => productId === id)
  })
  router.get(
    '/v1/orgs/:organization/events{/:prefix}',
    needs('events:get'),
    (request, response) => {
      const products = world.productsOf(findOrganization(world, request, response))
      const ids = new Set(products.map(({ id }) => id))
      stream(request, response, (event) => isAmong(ids, event))
    },
  )
  router.get(
    '/v1/orgs/:organization/products/:product/events{/:prefix}',
    needs('events:get'),
    (request, response) => {
      const organization = findOrganization(world, request, response)
      const product = findProduct(world, request, response)
      if (product.organization !== organization) throw failed(404, 'Product not found.')
      stream(request, response, ({ productId }) => productId === product.id)
    },
  )
  router.get(
    '/v1/orgs/:organization/devices/:device/events{/:prefix}',
    needs('events:get'),
    (request, response) => {
      const organization = findOrganization(world, request, response)
      const device = world.device(param(request, 'device'))
      if (!device || world.productOf(device)?.organization !== organization)
        throw permissionDenied()
      stream(request, response, ({ coreid }) => coreid === device.id)
    },
  )

  router.post('/v1/devices/events', needs(null), (request, response) => {
    hub.fromApi(principalOf(response).name, null, readEvent(request))
    response.json({ ok: true })
  })
  router.post('/v1/products/:product/events', needs('events:send'), (request, response) => {
    const product = findProduct(world, request, response)
    const event = readEvent(request)
    const impersonated = textOf(bodyOf(request)['as_device_id'])
    if (impersonated === undefined) {
      hub.fromApi(principalOf(response).name, product, event)
    } else {
      const device = world.device(impersonated)
      if (!device || device.productId !== product.id) throw permissionDenied()
      hub.fromDevice(device, event.name, event.data)
    }
    response.json({ ok: true })
  })

  return router
}

function isAmong(productIds: ReadonlySet<number>, { productId }: CloudEvent): boolean {
  return productId !== null && productIds.has(productId)
}

function readEvent(request: Request): { name: string; data: string | null; ttl: string } {
  // `private` is accepted and has no effect: the cloud has no public events any more.
  const { name, data, ttl } = bodyOf(request)
  if (typeof name !== 'string' || name === '') throw failed(400, 'Missing event name')
  return { name, data: textOf(data) ?? null, ttl: textOf(ttl) ?? '60' }
}
