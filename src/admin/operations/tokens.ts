/** Operations on the token of an API user: rotate, extend, revoke. */

import { z } from '../../lib/shape.ts'
import type { Operation } from '../operation.ts'
import { issuedView, userView } from '../users/views.ts'
import { answerChanged, answerUser, userAnswer } from './answers.ts'
import { nameIn, type UserOperationsParts } from './users.ts'

const rotated = z.strictObject({ user: userView, token: issuedView })

const base = { tag: 'Tokens', errors: 'problem', role: 'editor' } as const
const token = '/api/users/{name}/token'

export function tokenOperations({ apiUsers, times }: UserOperationsParts): Operation[] {
  return [
    {
      ...base,
      ...{ id: 'rotateToken', method: 'POST', path: token },
      summary: 'A first token, or a new one in the place of the one it has, which is dead then',
      answers: { 201: { says: 'The token is shown this once', body: rotated } },
      async handle(request) {
        const changed = await apiUsers.rotate(request, nameIn(request))
        return { ...answerChanged(changed, times()), status: 201 }
      },
    },
    {
      ...base,
      ...{ id: 'extendToken', method: 'POST', path: `${token}/extend` },
      summary: 'Put its token under what it is granted today; its end never moves out',
      answers: { 200: { says: 'Nothing is held back from it any more', body: userAnswer } },
      handle: async (request) =>
        answerUser(await apiUsers.extend(request, nameIn(request)), times()),
    },
    {
      ...base,
      ...{ id: 'revokeToken', method: 'DELETE', path: token },
      summary: 'Revoke its token: dead from the next request on',
      answers: { 200: { says: 'Revoked', body: userAnswer } },
      handle: async (request) =>
        answerUser(await apiUsers.revoke(request, nameIn(request)), times()),
    },
  ]
}
