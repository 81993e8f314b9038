/** Organizations and products, from the lists a client starts with. */
import { Router } from 'express'
import { findOrganization, findProduct, needs, principalOf } from '../access.ts'
import type { Context } from '../context.ts'
import { organizationPayload, productPayload } from '../payloads.ts'

export function organizationRoutes({ world }: Context): Router {
  const router = Router()

  router.get('/v1/orgs', needs(null), (_request, response) => {
    const organizations = world.organizations.map((each) => organizationPayload(each, world))
    response.json({ organizations })
  })

  router.get('/v1/orgs/:organization', needs('organization:get'), (request, response) => {
    const organization = findOrganization(world, request, response)
    response.json({ organization: organizationPayload(organization, world) })
  })

  router.get('/v1/orgs/:organization/products', needs('products:list'), (request, response) => {
    const products = world.productsOf(findOrganization(world, request, response))
    response.json({ products: products.map(productPayload) })
  })

  // Documents name the first path, the JavaScript client calls the second.
  router.get(
    ['/v1/user/products', '/v1/products'],
    needs('products:list'),
    (_request, response) => {
      const { products: reachable } = principalOf(response)
      const products = [...world.products.values()].filter(({ id }) => reachable?.has(id) ?? true)
      response.json({ products: products.map(productPayload) })
    },
  )

  router.get('/v1/products/:product', needs('products:get'), (request, response) => {
    const product = findProduct(world, request, response)
    response.set('X-Requested-Scope', `product_${product.id}:product:get`)
    response.json({ product: productPayload(product) })
  })

  return router
}
