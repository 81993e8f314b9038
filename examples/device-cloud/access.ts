/** Finds out who asks, what scopes they hold, and which product or device they speak of. */
import type { Request, RequestHandler, Response } from 'express'
import { bodyOf } from './bodies.ts'
import type { DeviceForm } from './payloads.ts'
import {
  authRefusal,
  failed,
  invalidRequest,
  invalidScope,
  invalidToken,
  notForApiUsers,
  permissionDenied,
} from './refusals.ts'
import type { Device, Organization, Product, World } from './state.ts'
import type { Principal, Tokens } from './tokens.ts'

/** What a customer's token may do, and only on the customer's own devices. */
const customerScopes = new Set([
  'devices:get',
  'devices:ping',
  'devices.function:call',
  'devices.variable:get',
  'events:get',
])

export function authenticate(tokens: Tokens): RequestHandler {
  return (request, response, next) => {
    const token = tokenOf(request)
    const principal = typeof token === 'string' ? tokens.holderOf(token) : undefined
    if (!principal) throw invalidToken()
    response.locals['principal'] = principal
    response.locals['token'] = token
    next()
  }
}

export function principalOf(response: Response): Principal {
  return response.locals['principal'] as Principal
}

/** Lets through who holds the scope; a route without one is for people only. */
export function needs(scope: string | null): RequestHandler {
  return (_request, response, next) => {
    const { kind, scopes } = principalOf(response)
    if (kind === 'customer' && !(scope && customerScopes.has(scope))) throw notForApiUsers()
    if (kind !== 'user' && scope === null) throw notForApiUsers()
    if (scopes && scope !== null && !scopes.has(scope)) throw invalidScope()
    next()
  }
}

export function findProduct(world: World, request: Routed, response: Response): Product {
  const principal = principalOf(response)
  const product = world.product(param(request, 'product'))
  const reachable = product && (principal.products?.has(product.id) ?? true)
  if (!reachable || principal.kind === 'customer') throw failed(404, 'Product not found.')
  return product
}

export function findOrganization(world: World, request: Routed, response: Response): Organization {
  const organization = world.organization(param(request, 'organization'))
  if (!organization) throw failed(404, 'Organization not found.')
  const { products, kind } = principalOf(response)
  if (kind === 'customer') throw failed(404, 'Organization not found.')
  if (products && world.productsOf(organization).some(({ id }) => !products.has(id))) {
    throw failed(404, 'Organization not found.')
  }
  return organization
}

export interface Located {
  device: Device
  form: DeviceForm
}

/** The device of a path: by id in its product, or by id or name in the user form. */
export function findDevice(world: World, request: Routed, response: Response): Located {
  const text = param(request, 'device')
  if ('product' in request.params) {
    const product = findProduct(world, request, response)
    const device = world.device(text)
    if (!device || device.productId !== product.id) throw permissionDenied()
    return { device, form: 'product' }
  }
  const device = world.deviceByIdOrName(text)
  if (!device || !reaches(principalOf(response), device)) throw permissionDenied()
  return { device, form: 'user' }
}

export function reaches(principal: Principal, device: Device): boolean {
  if (principal.kind === 'customer') return device.owner === principal.name
  if (principal.products === null) return true
  return device.productId !== null && principal.products.has(device.productId)
}

export type Routed = Pick<Request, 'body'> & { params: object }

export function param(request: { params: object }, name: string): string {
  const value = (request.params as Record<string, unknown>)[name]
  return typeof value === 'string' ? value : ''
}

/** One token from one place. Like the cloud, an Authorization header of any kind counts as a place. */
function tokenOf(request: Request): unknown {
  const header = request.get('authorization')
  const query = request.query['access_token']
  // A multipart field is no place for a token: the cloud does not look there.
  const inBody = request.is('multipart/form-data') ? undefined : bodyOf(request)['access_token']
  const used = [header, query, inBody].filter((place) => place !== undefined)
  if (used.length === 0) throw invalidRequest('The access token was not found')
  if (used.length > 1) {
    throw invalidRequest(
      'Only one method may be used to authenticate at a time (Auth header,  GET or POST).',
    )
  }
  if (header !== undefined) {
    const match = /Bearer\s(\S+)/.exec(header)
    if (!match) throw invalidRequest('Malformed auth header')
    return match[1]
  }
  if (inBody !== undefined) refuseStrayBodyToken(request)
  return query ?? inBody
}

function refuseStrayBodyToken(request: Request): void {
  if (request.method === 'GET') {
    throw authRefusal(400, 'invalid_request', 'A GET request cannot carry the token in its body.')
  }
  if (!request.is('application/x-www-form-urlencoded')) {
    throw invalidRequest('A token in the body must be application/x-www-form-urlencoded.')
  }
}
