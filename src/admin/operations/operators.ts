/** Operations on operators: whoami, list, create, revoke. */

import { mapping, z } from '../../lib/shape.ts'
import type { OperatorRow } from '../../store/operator-store.ts'
import type { Operation } from '../operation.ts'
import type { Operators } from '../operators.ts'
import { at, iso } from '../users/views.ts'

export type OperatorOperationsParts = { operators: Operators; nowMs: () => number }

const role = z.enum(['viewer', 'editor', 'owner'])
const when = () => z.iso.datetime()

const self = z.strictObject({
  name: z.string(),
  role,
  product: z.string().optional().meta({ description: 'Only what lies inside it' }),
  via: z.enum(['token', 'oidc']),
  token_id: z.string(),
})
const operatorView = z
  .strictObject({
    id: z.string().meta({ description: 'Public id of its token' }),
    ...{ name: z.string(), role, product: z.string().optional() },
    via: z.enum(['token', 'oidc']),
    state: z.enum(['valid', 'expired', 'revoked']),
    created_at: when(),
    created_by: z.string(),
    expires_at: when().optional(),
    revoked_at: when().optional(),
  })
  .meta({ id: 'Operator' })
const list = z.strictObject({ operators: z.array(operatorView) })
const created = z.strictObject({
  operator: operatorView,
  token: z.string().meta({ description: 'Shown this once' }),
})
const newOperator = mapping({
  name: z.string().min(1).max(100),
  role,
  product: z.string().min(1).max(100).optional().meta({ description: 'Id of the one product' }),
  expires_at: z.iso.datetime({ offset: true }).optional(),
})

const base = { tag: 'Operators', errors: 'problem' } as const

export function operatorOperations({ operators, nowMs }: OperatorOperationsParts): Operation[] {
  const view = (row: OperatorRow) => toView(row, nowMs())
  return [
    {
      ...base,
      ...{ id: 'whoami', method: 'GET', path: '/api/whoami', role: 'viewer' },
      summary: 'Who is signed in',
      answers: { 200: { says: 'The operator of this call', body: self } },
      async handle({ operator: { name, role, product, via, tokenId } }) {
        const body: z.infer<typeof self> = {
          ...{ name, role, via, token_id: tokenId },
          ...(product !== undefined && { product }),
        }
        return { status: 200, body }
      },
    },
    {
      ...base,
      ...{ id: 'listOperators', method: 'GET', path: '/api/operators', role: 'owner' },
      summary: 'Operators, newest first; sign-ins that are over are left out',
      answers: { 200: { says: 'All of them', body: list } },
      async handle(request) {
        return { status: 200, body: { operators: (await operators.list(request)).map(view) } }
      },
    },
    {
      ...base,
      ...{ id: 'createOperator', method: 'POST', path: '/api/operators', role: 'owner' },
      summary: 'Make an operator and its token',
      body: newOperator,
      answers: { 201: { says: 'The token is shown this once', body: created } },
      async handle(request) {
        const { name, role, product, expires_at: end } = newOperator.parse(request.body)
        const expiresAtMs = end === undefined ? undefined : Date.parse(end)
        const made = await operators.create(request, { name, role, product, expiresAtMs })
        const body: z.infer<typeof created> = {
          operator: view(made.row),
          token: made.token.reveal(),
        }
        return { status: 201, body }
      },
    },
    {
      ...base,
      ...{ id: 'revokeOperator', method: 'DELETE', path: '/api/operators/{id}', role: 'owner' },
      summary: 'Revoke the token of an operator, by its public id',
      answers: { 204: { says: 'Dead from the next request on' } },
      async handle(request) {
        await operators.revoke(request, request.params['id'] ?? '')
        return { status: 204 }
      },
    },
  ]
}

function toView(row: OperatorRow, nowMs: number): z.infer<typeof operatorView> {
  const { id, name, role, product, via, createdAtMs, createdBy, expiresAtMs, revokedAtMs } = row
  const isOver = expiresAtMs !== undefined && expiresAtMs <= nowMs
  return {
    ...{ id, name, role, via },
    ...(product !== undefined && { product }),
    state: revokedAtMs === undefined ? (isOver ? 'expired' : 'valid') : 'revoked',
    ...{ created_at: iso(createdAtMs), created_by: createdBy },
    ...at('expires_at', expiresAtMs),
    ...at('revoked_at', revokedAtMs),
  }
}
