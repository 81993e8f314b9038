/** The cloud's own team API on the admin port, so that scripts which make API users there make them here. */

import type { Catalog } from '../../domain/catalog.ts'
import { Problem } from '../../domain/problem.ts'
import { mapping, z } from '../../lib/shape.ts'
import type { RandomBytes } from '../../store/token-format.ts'
import type { Directory } from '../../upstream/directory.ts'
import type { ApiUsers } from '../api-users.ts'
import type { AdminRequest, Operation } from '../operation.ts'
import {
  createdAnswer,
  listAnswer,
  okAnswer,
  toCreated,
  toMember,
  toUpdated,
  updatedAnswer,
} from './answers.ts'
import { createTeamDefinitions, type TeamExpiry } from './definition.ts'
import { createTeamPlaces, type TeamKind } from './place.ts'
import { createTeam, type TeamName } from './team.ts'

export type TeamOperationsParts = {
  apiUsers: ApiUsers
  catalog: Pick<Catalog, 'resources' | 'scopes' | 'routes'>
  directory: Pick<Directory, 'organization' | 'product' | 'products'>
  /** `api_users.team_api` of the configuration. */
  expiry: TeamExpiry
  random: RandomBytes
}

const friendlyName = z
  .string()
  .regex(/^[^\p{C}]{1,200}$/u, 'must be 1 to 200 characters, none of them invisible')
  .refine((name) => name.trim() !== '', 'must not be blank')
const scopeList = z
  .array(z.string().min(1).max(200))
  .min(1, 'must name at least one scope')
  .max(500)
const body = mapping({
  friendly_name: friendlyName.optional(),
  scopes: scopeList.optional(),
  username: z.string().max(500).optional().meta({ description: 'Of a person: refused here' }),
  role: z.string().max(500).optional().meta({ description: 'Of a person: refused here' }),
})

const base = { tag: 'Team', errors: 'cloud', role: 'editor' } as const
const places = [
  { kind: 'product', title: 'Product', path: '/v1/products/{product}/team' },
  { kind: 'organization', title: 'Organization', path: '/v1/orgs/{organization}/team' },
] as const satisfies readonly { kind: TeamKind; title: string; path: string }[]

/** None where the catalog is of a cloud that has no such API. */
export function createTeamOperations(parts: TeamOperationsParts): Operation[] {
  const { apiUsers, catalog, directory, expiry, random } = parts
  if (!catalog.routes.some(({ id }) => id === 'POST /v1/products/:product/team')) return []
  const team = createTeam({
    ...{ apiUsers, random },
    places: createTeamPlaces({ catalog, directory }),
    definitions: createTeamDefinitions({ catalog, expiry }),
  })

  async function update(request: AdminRequest, name: TeamName) {
    const { friendly_name, scopes } = readBody(request)
    if (friendly_name === undefined && scopes === undefined) {
      throw new Problem('invalid_body', { says: 'Say friendly_name, scopes or both.' })
    }
    const username = usernameIn(request)
    const change = { friendlyName: friendly_name, scopes }
    const token = await team.update(request, name, username, change)
    return { status: 200, body: toUpdated(username, token) }
  }

  async function regenerate(request: AdminRequest, name: TeamName) {
    const username = usernameIn(request)
    const token = await team.regenerate(request, name, username)
    return { status: 200, body: toUpdated(username, token) }
  }

  return places.flatMap(({ kind, title, path }): Operation[] => {
    const nameIn = ({ params }: AdminRequest): TeamName => ({ kind, text: params[kind] ?? '' })
    const one = `${path}/{username}`
    const updated = { 200: { says: 'With its new token, if it has one', body: updatedAnswer } }
    return [
      {
        ...base,
        ...{ id: `list${title}Team`, method: 'GET', path, role: 'viewer' },
        summary: `API users of this ${kind}, as the cloud lists them; people are not kept here`,
        answers: { 200: { says: 'All of them, without tokens', body: listAnswer } },
        async handle(request) {
          const found = await team.list(request, nameIn(request))
          const members = found.map(({ record, from }) => toMember(record, from, catalog))
          return { status: 200, body: { ok: true, team: members } }
        },
      },
      {
        ...base,
        ...{ id: `create${title}ApiUser`, method: 'POST', path, body },
        summary: `Create an API user of this ${kind}, with all its devices`,
        answers: { 200: { says: 'The token is shown this once', body: createdAnswer } },
        async handle(request) {
          const { friendly_name: name, scopes } = readBody(request)
          if (name === undefined || scopes === undefined) {
            throw new Problem('invalid_body', { says: 'Say both friendly_name and scopes.' })
          }
          const { username, token } = await team.create(request, nameIn(request), name, scopes)
          return { status: 200, body: toCreated(username, token) }
        },
      },
      ...(['PUT', 'POST'] as const).map((method): Operation => ({
        ...base,
        ...{ id: `${idWord(method)}${title}ApiUser`, method, path: one, body },
        summary: 'Change name or scopes; other scopes make a new token, and the old one is dead',
        answers: updated,
        handle: (request) => update(request, nameIn(request)),
      })),
      {
        ...base,
        ...{ id: `delete${title}ApiUser`, method: 'DELETE', path: one },
        summary: 'Delete an API user; its token is dead from the next request on',
        answers: { 200: { says: 'Deleted', body: okAnswer } },
        async handle(request) {
          await team.delete(request, nameIn(request), usernameIn(request))
          return { status: 200, body: { ok: true } }
        },
      },
      ...(['PUT', 'POST'] as const).map((method): Operation => ({
        ...base,
        ...{ id: `${idWord(method)}${title}ApiUserToken`, method, path: `${one}/token` },
        summary: 'A new token; the old one is dead',
        answers: updated,
        handle: (request) => regenerate(request, nameIn(request)),
      })),
    ]
  })
}

/** Both methods stand in the cloud's documents for one deed. */
function idWord(method: 'PUT' | 'POST'): string {
  return method === 'PUT' ? 'update' : 'postUpdate'
}

function usernameIn({ params }: AdminRequest): string {
  return params['username'] ?? ''
}

/** @throws Problem `refused_route` for what is about a person */
function readBody(request: AdminRequest): z.infer<typeof body> {
  const read = body.parse(request.body)
  if (read.username === undefined && read.role === undefined) {
    return read.scopes === undefined ? read : { ...read, scopes: [...new Set(read.scopes)] }
  }
  throw new Problem('refused_route', {
    says: 'People are members of teams in the cloud itself; only API users are kept here.',
  })
}
