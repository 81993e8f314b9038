/** Logging in, the caller's own token and account, and the few routes that need no token. */
import { randomBytes } from 'node:crypto'
import { Router } from 'express'
import type { Request } from 'express'
import { needs, param, principalOf } from '../access.ts'
import { bodyOf, textOf } from '../bodies.ts'
import type { Context } from '../context.ts'
import { authRefusal, invalidRequest } from '../refusals.ts'
import { accountName } from '../seed.ts'
import type { Principal } from '../tokens.ts'

/** Of the account and of every customer: this is a simulator. */
const simulatorPassword = 'simulator'

const tokenLifeSeconds = 7_776_000
const clientIdPattern = /^[a-z0-9-_]{3,40}$/i

/** Routes that answer before anyone is asked for a token. */
export function openRoutes({ world, tokens }: Context): Router {
  const router = Router()
  const refreshable = new Map<string, Principal>()

  router.post('/oauth/token', (request, response) => {
    if (!request.is('application/x-www-form-urlencoded')) {
      throw invalidRequest('The request must be application/x-www-form-urlencoded.')
    }
    const client = clientOf(request)
    const body = bodyOf(request)
    const seconds = Number(textOf(body['expires_in']) ?? tokenLifeSeconds)
    const expiresAt = seconds > 0 ? new Date(Date.now() + seconds * 1000) : null
    const principal = { ...holderFor(body, client), client: client.id, expiresAt }
    const refreshToken = expiresAt ? randomBytes(20).toString('hex') : undefined
    if (refreshToken !== undefined) refreshable.set(refreshToken, principal)
    response.set({ 'Cache-Control': 'no-store', Pragma: 'no-cache' }).json({
      token_type: 'bearer',
      access_token: tokens.issue(principal),
      expires_in: expiresAt ? seconds : 0,
      ...(refreshToken !== undefined && { refresh_token: refreshToken }),
    })
  })

  function holderFor(body: Record<string, unknown>, client: Client): Principal {
    switch (body['grant_type']) {
      case 'password': {
        const known = personNamed(textOf(body['username']) ?? '')
        if (!known || body['password'] !== simulatorPassword) throw badCredentials()
        return known
      }
      case 'refresh_token': {
        const before = textOf(body['refresh_token']) ?? ''
        const known = refreshable.get(before)
        if (!known || !refreshable.delete(before)) throw badCredentials()
        return known
      }
      case 'client_credentials':
        return clientHolder(client, textOf(body['scope']))
      default:
        throw invalidRequest('Invalid or missing grant_type parameter')
    }
  }

  function clientHolder(client: Client, scope: string | undefined): Principal {
    const email = scope?.match(/^customer=(.+)$/)?.[1]
    if (email !== undefined) {
      const customer = personNamed(email)
      if (customer?.kind !== 'customer') throw badCredentials()
      return customer
    }
    const product = world.product(client.id.replace(/-client$/, ''))
    if (!product) throw badClient()
    return newPrincipal('client', client.id, new Set([product.id]))
  }

  function personNamed(name: string): Principal | undefined {
    if (name === accountName) return newPrincipal('user', name, null)
    for (const product of world.products.values()) {
      const isCustomer = product.customers.some(({ email }) => email === name)
      if (isCustomer) return newPrincipal('customer', name, new Set([product.id]))
    }
    return undefined
  }

  router.get('/v1/build_targets', (_request, response) => {
    const target = { platforms: [12, 13, 26], prereleases: [], firmware_vendor: 'Particle' }
    response.json({
      targets: [{ ...target, version: '6.3.2' }],
      platforms: { Argon: 12, Boron: 13, Tracker: 26 },
      default_versions: { '12': '6.3.2', '13': '6.3.2', '26': '6.3.2' },
    })
  })

  return router
}

export function accountRoutes({ tokens }: Context): Router {
  const router = Router()

  router.get('/v1/user', needs(null), (_request, response) => {
    const { name } = principalOf(response)
    response.json({
      username: name,
      tos: 1,
      account_info: { first_name: 'Fleet', last_name: 'Account', business_account: true },
      mfa: { enabled: false },
      memberships: [],
      scim_provisioned: false,
      no_password: false,
      wifi_device_count: 0,
      cellular_device_count: 0,
    })
  })

  router.get('/v1/access_tokens/current', (_request, response) => {
    const { expiresAt, client, scopes } = principalOf(response)
    response.json({
      expires_at: expiresAt?.toISOString() ?? null,
      client,
      scopes: scopes ? [...scopes] : ['*:*'],
      orgs: [],
    })
  })

  router.delete('/v1/access_tokens/current', (_request, response) => {
    tokens.revoke(String(response.locals['token']))
    response.json({ ok: true })
  })

  router.delete('/v1/access_tokens/:token', needs(null), (request, response) => {
    tokens.revoke(param(request, 'token'))
    response.json({ ok: true })
  })

  return router
}

interface Client {
  id: string
}

/** A client names itself by HTTP Basic or in the body; any well-formed one is believed. */
function clientOf(request: Request): Client {
  const basic = /^Basic\s+(\S+)/i.exec(request.get('authorization') ?? '')?.[1]
  const [basicId] = Buffer.from(basic ?? '', 'base64')
    .toString()
    .split(':')
  const id = basic === undefined ? textOf(bodyOf(request)['client_id']) : basicId
  if (id === undefined || !clientIdPattern.test(id)) throw badClient()
  return { id }
}

function newPrincipal(
  kind: Principal['kind'],
  name: string,
  products: ReadonlySet<number> | null,
): Principal {
  return { kind, name, products, scopes: null, client: '', expiresAt: null }
}

function badClient(): Error {
  const headers = { 'WWW-Authenticate': 'Basic realm="Service"' }
  return authRefusal(400, 'invalid_client', 'Client credentials are invalid', headers)
}

function badCredentials(): Error {
  return authRefusal(400, 'invalid_grant', 'User credentials are invalid')
}
