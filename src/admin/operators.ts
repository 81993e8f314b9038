/** The work on operators: who made them may make no more than is its own, and one owner always stays. */

import { canonicalId } from '../domain/canonical-id.ts'
import type { Catalog } from '../domain/catalog.ts'
import { Problem } from '../domain/problem.ts'
import type { Secret } from '../lib/secret.ts'
import type { OperatorRole, OperatorRow } from '../store/operator-store.ts'
import type { OperatorTokens } from '../store/operator-tokens.ts'
import type { Actor } from './api-users.ts'
import { isAtLeast } from './http/sign-on.ts'
import { authorOf, type Changing } from './users/changing.ts'
import { Unprocessable } from './unprocessable.ts'
import { at } from './users/views.ts'

export type NewOperator = {
  name: string
  role: OperatorRole
  product: string | undefined
  expiresAtMs: number | undefined
}

/** @throws Problem `role_forbids`, `conflict`, `unprocessable`, `not_found`, `audit_unavailable`, `store_unavailable` */
export type Operators = {
  /** Newest first; an operator of one product sees those of that product. */
  list(actor: Actor): Promise<OperatorRow[]>
  create(actor: Actor, wanted: NewOperator): Promise<{ token: Secret; row: OperatorRow }>
  /** @param id public id of its token */
  revoke(actor: Actor, id: string): Promise<void>
}

export type OperatorsParts = {
  catalog: Pick<Catalog, 'resources'>
  operatorTokens: Pick<OperatorTokens, 'create' | 'list' | 'revokeUnlessLast'>
  changing: Changing
}

export function createOperators({ catalog, operatorTokens, changing }: OperatorsParts): Operators {
  const list: Operators['list'] = async ({ operator: { product } }) =>
    (await operatorTokens.list()).filter((row) => product === undefined || row.product === product)

  const revoke: Operators['revoke'] = async (actor, id) => {
    const row = (await list(actor)).find((one) => one.id === id)
    if (row === undefined || row.revokedAtMs !== undefined) {
      throw new Problem('not_found', { says: 'There is no such operator.' })
    }
    const before = viewOf(row)
    const what = { change: 'operator.revoke', target: row.name, before, after: undefined }
    return changing(actor, { ...what, status: 204 }, async () => {
      const done = await operatorTokens.revokeUnlessLast(id, authorOf(actor))
      if (done === 'not_valid') {
        throw new Problem('not_found', { says: 'There is no such operator.' })
      }
      if (done === 'last_owner') {
        throw new Problem('conflict', {
          says: 'The last owner cannot be revoked; make another first.',
        })
      }
    })
  }

  return {
    list,
    async create(actor, { name, role, product: given, expiresAtMs }) {
      const product = given === undefined ? undefined : requireId(given, catalog)
      const own = actor.operator
      if (!isAtLeast(own.role, role) || (own.product !== undefined && own.product !== product)) {
        throw new Problem('role_forbids', {
          says: 'Nobody makes an operator who may do more than they may.',
        })
      }
      const after = { name, role, ...(product && { product }), ...at('expires_at', expiresAtMs) }
      const what = { change: 'operator.create', target: name, before: undefined, after }
      return changing(actor, { ...what, status: 201 }, () =>
        operatorTokens.create(
          {
            ...{ name, role, via: 'token' },
            ...(product !== undefined && { product }),
            ...(expiresAtMs !== undefined && { expiresAtMs }),
          },
          authorOf(actor),
        ),
      )
    },
    revoke,
  }
}

/** In any other spelling it would be no product's, and the operator one of nothing. @throws Unprocessable */
function requireId(text: string, { resources: { product } }: OperatorsParts['catalog']): string {
  const id = canonicalId(product, text)
  if (id !== undefined) return id
  const detail = 'must be the id of a product; a name of it may become another one’s'
  throw new Unprocessable('invalid_body', [{ pointer: '/product', detail }])
}

function viewOf({ id, name, role, product, via, expiresAtMs }: OperatorRow) {
  return {
    ...{ token_id: id, name, role, via },
    ...(product !== undefined && { product }),
    ...at('expires_at', expiresAtMs),
  }
}
