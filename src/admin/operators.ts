/** The work on operators: who made them may make no more than is its own, and one owner always stays. */

import type { Clock } from '../domain/clock.ts'
import { Problem } from '../domain/problem.ts'
import type { Secret } from '../lib/secret.ts'
import type { OperatorRole, OperatorRow } from '../store/operator-store.ts'
import type { OperatorTokens } from '../store/operator-tokens.ts'
import type { Actor } from './api-users.ts'
import { isAtLeast } from './http/sign-on.ts'
import { authorOf, type Changing } from './users/changing.ts'
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
  operatorTokens: Pick<OperatorTokens, 'create' | 'list' | 'revoke'>
  changing: Changing
  clock: Pick<Clock, 'now'>
}

export function createOperators({ operatorTokens, changing, clock }: OperatorsParts): Operators {
  let last: Promise<unknown> = Promise.resolve()

  /** One at a time: two owners who revoke each other must not both be the last but one. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = last.then(work, work)
    last = turn.catch(() => undefined)
    return turn
  }

  const list: Operators['list'] = async ({ operator: { product } }) =>
    (await operatorTokens.list()).filter((row) => product === undefined || row.product === product)

  /** Lasting, and of everything: a sign-in hangs on a provider that may be gone. */
  function isOwner({ role, product, via, expiresAtMs, revokedAtMs }: OperatorRow): boolean {
    if (role !== 'owner' || product !== undefined || via !== 'token') return false
    return revokedAtMs === undefined && (expiresAtMs === undefined || expiresAtMs > clock.now())
  }

  async function revoke(actor: Actor, id: string): Promise<void> {
    const row = (await list(actor)).find((one) => one.id === id)
    if (row === undefined || row.revokedAtMs !== undefined) {
      throw new Problem('not_found', { says: 'There is no such operator.' })
    }
    const owners = (await operatorTokens.list()).filter(isOwner)
    if (owners.length === 1 && owners[0]?.id === id) {
      throw new Problem('conflict', {
        says: 'The last owner cannot be revoked; make another first.',
      })
    }
    const before = viewOf(row)
    const what = { change: 'operator.revoke', target: row.name, before, after: undefined }
    return changing(actor, { ...what, status: 204 }, async () => {
      const done = await operatorTokens.revoke(id, authorOf(actor))
      if (!done) throw new Problem('not_found', { says: 'There is no such operator.' })
    })
  }

  return {
    list,
    async create(actor, { name, role, product, expiresAtMs }) {
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
    revoke: (actor, id) => inTurn(() => revoke(actor, id)),
  }
}

function viewOf({ id, name, role, product, via, expiresAtMs }: OperatorRow) {
  return {
    ...{ token_id: id, name, role, via },
    ...(product !== undefined && { product }),
    ...at('expires_at', expiresAtMs),
  }
}
