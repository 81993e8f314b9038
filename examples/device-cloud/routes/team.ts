/** Team routes of products and organizations: people, and API users with their tokens. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { findOrganization, findProduct, needs, param } from '../access.ts'
import { bodyOf, textOf } from '../bodies.ts'
import type { Context } from '../context.ts'
import { objectIdOf } from '../identity.ts'
import type { Payload } from '../payloads.ts'
import { failed } from '../refusals.ts'
import { accountName } from '../seed.ts'
import type { ApiUser, Boundary } from '../team.ts'

const all = ['/v1/products/:product/team', '/v1/orgs/:organization/team']
const one = all.map((path) => `${path}/:username`)
const tokenOfOne = one.map((path) => `${path}/token`)

export function teamRoutes({ world, team }: Context): Router {
  const router = Router()

  router.get(all, needs('teams.users:list'), (request, response) => {
    const boundary = boundaryOf(request, response)
    const people = [person(accountName), ...team.invitedTo(boundary).map(person)]
    response.json({ ok: true, team: [...people, ...team.list(boundary).map(listed)] })
  })

  router.post(all, needs('teams.users:invite'), (request, response) => {
    const boundary = boundaryOf(request, response)
    const { friendly_name: friendlyName, scopes, username } = bodyOf(request)
    if (typeof username === 'string' && username !== '') {
      team.invite(boundary, username)
      response.json({ ok: true, invited: { username } })
      return
    }
    if (typeof friendlyName !== 'string' || friendlyName === '') {
      throw failed(400, 'Missing friendly_name')
    }
    const user = team.create(boundary, friendlyName, scopeList(scopes))
    response.json({ ok: true, created: withToken(user) })
  })

  // Documents name both methods for the same deed.
  for (const method of ['put', 'post'] as const) {
    router[method](one, needs('teams.users:update'), (request, response) => {
      const { friendly_name: friendlyName, scopes } = bodyOf(request)
      const name = textOf(friendlyName)
      const user = team.update(userOf(request, response), {
        ...(name !== undefined && { friendlyName: name }),
        ...(scopes !== undefined && { scopes: scopeList(scopes) }),
      })
      response.json({ ok: true, updated: withToken(user) })
    })

    router[method](tokenOfOne, needs('teams.users:update'), (request, response) => {
      const user = team.renewToken(userOf(request, response))
      response.json({ ok: true, updated: withToken(user) })
    })
  }

  router.delete(one, needs('teams.users:remove'), (request, response) => {
    const removed = team.remove(boundaryOf(request, response), param(request, 'username'))
    if (!removed) throw failed(404, 'User not found')
    response.json({ ok: true })
  })

  function boundaryOf(request: Request, response: Response): Boundary {
    if ('product' in request.params) {
      return { kind: 'product', product: findProduct(world, request, response) }
    }
    return { kind: 'organization', organization: findOrganization(world, request, response) }
  }

  function userOf(request: Request, response: Response): ApiUser {
    const user = team.find(boundaryOf(request, response), param(request, 'username'))
    if (!user) throw failed(404, 'User not found')
    return user
  }

  return router
}

function scopeList(value: unknown): string[] {
  const isList = Array.isArray(value) && value.length > 0
  if (!isList || !value.every((scope) => typeof scope === 'string')) {
    throw failed(400, 'Missing scopes')
  }
  return value
}

function withToken({ username, token }: ApiUser): Payload {
  return { username, is_programmatic: true, tokens: [{ token }] }
}

function person(username: string): Payload {
  return {
    _id: objectIdOf(...Buffer.from(username)),
    username,
    role: { id: 'admin', name: 'Administrator', ...(username === accountName && { owner: true }) },
    no_mfa: false,
    scim_provisioned: false,
    no_password: false,
  }
}

function listed({ username, friendlyName, scopes, boundary }: ApiUser): Payload {
  return {
    username,
    friendly_name: friendlyName,
    scopes: [...scopes],
    is_programmatic: true,
    product_id: boundary.kind === 'product' ? boundary.product.id : null,
  }
}
