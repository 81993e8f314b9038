/** Operations on API users: list, create, read, update, delete, suspend, resume. */

import { mapping, z } from '../../lib/shape.ts'
import type { ApiUserQuery, ApiUsers } from '../api-users.ts'
import type { AdminRequest, Operation } from '../operation.ts'
import { toUserView, userView, type Times } from '../users/views.ts'
import { answerChanged, answerUser, changedAnswer, userAnswer } from './answers.ts'
import { linksTo, pagingOf, pagingQuery } from './paging.ts'

export type UserOperationsParts = { apiUsers: ApiUsers; times: () => Times }

const definition = z.record(z.string(), z.unknown()).meta({
  description: 'One entry of the users section of a policy file, without its name',
  examples: [
    {
      owner: 'field@acme.example',
      product: 12345,
      devices: 'all',
      scopes: ['devices:list'],
      lifetime: '90d',
    },
  ],
})
const newUser = mapping({
  name: z.string().min(1).max(128),
  definition,
  token: z.enum(['issue', 'none']).optional().meta({ description: 'issue where it is not said' }),
})
const changedUser = mapping({ definition })
const suspension = mapping({
  because: z
    .string()
    .min(1)
    .max(500)
    .regex(/^[^\p{C}]*$/u, 'must have no invisible characters'),
})

const word = (says: string) => z.string().min(1).max(200).meta({ description: says })
const listQuery = {
  search: word('Part of name or description, without case'),
  product: word('Id of a product in its boundary'),
  organization: word('Id of the organization that is its boundary'),
  state: z
    .enum(['valid', 'expired', 'suspended', 'no_token', 'expires_soon'])
    .meta({ description: 'By its token; an API user that is suspended is nothing else' }),
  ...pagingQuery,
}
const list = z.strictObject({
  users: z.array(userView),
  total: z.int(),
  page: z.int(),
  per_page: z.int(),
})

const base = { tag: 'API users', errors: 'problem' } as const
const one = '/api/users/{name}'

export function userOperations({ apiUsers, times }: UserOperationsParts): Operation[] {
  return [
    {
      ...base,
      ...{ id: 'listUsers', method: 'GET', path: '/api/users', role: 'viewer' },
      summary: 'API users, those of the policy files first, each by name',
      query: listQuery,
      answers: { 200: { says: 'A page of them; Link leads to the others', body: list } },
      async handle(request) {
        const paging = pagingOf(request)
        const { records, total } = await apiUsers.page(request, queryOf(request))
        const now = times()
        return {
          status: 200,
          headers: linksTo('/api/users', request, paging, total),
          body: {
            users: records.map((record) => toUserView(record, now)),
            ...{ total, page: paging.page, per_page: paging.perPage },
          } satisfies z.infer<typeof list>,
        }
      },
    },
    {
      ...base,
      ...{ id: 'createUser', method: 'POST', path: '/api/users', role: 'editor' },
      summary: 'Create an API user in the store, with its first token',
      body: newUser,
      answers: { 201: { says: 'Its token is shown this once', body: changedAnswer } },
      async handle(request) {
        const { name, definition, token = 'issue' } = newUser.parse(request.body)
        const changed = await apiUsers.create(request, name, definition, token)
        const answer = answerChanged(changed, times())
        const location = `/api/users/${encodeURIComponent(name)}`
        return { ...answer, status: 201, headers: { ...answer.headers, location } }
      },
    },
    {
      ...base,
      ...{ id: 'getUser', method: 'GET', path: one, role: 'viewer' },
      summary: 'One API user; its ETag is for updates',
      answers: { 200: { says: 'The API user', body: userAnswer } },
      handle: async (request) => answerUser(await apiUsers.get(request, nameIn(request)), times()),
    },
    {
      ...base,
      ...{ id: 'updateUser', method: 'PUT', path: one, role: 'editor', conditional: true },
      summary: 'Give an API user of the store another definition',
      description:
        'Where its rights or its end change, a new token takes the place of its valid one: the old one is dead when the answer comes.',
      body: changedUser,
      answers: { 200: { says: 'With a token where a new one was made', body: changedAnswer } },
      async handle(request) {
        const { definition } = changedUser.parse(request.body)
        const { ifMatch } = request
        return answerChanged(
          await apiUsers.update(request, nameIn(request), definition, ifMatch),
          times(),
        )
      },
    },
    {
      ...base,
      ...{ id: 'deleteUser', method: 'DELETE', path: one, role: 'editor', conditional: true },
      summary: 'Delete an API user of the store; its token dies with it',
      answers: { 204: { says: 'It is gone' } },
      async handle(request) {
        await apiUsers.delete(request, nameIn(request), request.ifMatch)
        return { status: 204 }
      },
    },
    {
      ...base,
      ...{ id: 'suspendUser', method: 'POST', path: `${one}/suspend`, role: 'editor' },
      summary: 'Suspend an API user, wherever it is defined; its open streams end',
      body: suspension,
      answers: { 200: { says: 'Suspended', body: userAnswer } },
      async handle(request) {
        const { because } = suspension.parse(request.body)
        return answerUser(await apiUsers.suspend(request, nameIn(request), because), times())
      },
    },
    {
      ...base,
      ...{ id: 'resumeUser', method: 'POST', path: `${one}/resume`, role: 'editor' },
      summary: 'End the suspension of an API user',
      answers: { 200: { says: 'Not suspended', body: userAnswer } },
      handle: async (request) =>
        answerUser(await apiUsers.resume(request, nameIn(request)), times()),
    },
  ]
}

export function nameIn({ params }: Pick<AdminRequest, 'params'>): string {
  return params['name'] ?? ''
}

function queryOf(request: AdminRequest): ApiUserQuery {
  const { search, product, organization, state } = request.query
  const known = listQuery.state.safeParse(state)
  return {
    ...pagingOf(request),
    ...(search !== undefined && { search }),
    ...(product !== undefined && { product }),
    ...(organization !== undefined && { organization }),
    ...(known.success && { state: known.data }),
  }
}
