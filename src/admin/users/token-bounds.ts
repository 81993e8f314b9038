/** Whose token an operator may be handed: it can then do all that the API user can. */

import type { ApiUser } from '../../domain/grant.ts'
import { Problem } from '../../domain/problem.ts'
import type { Actor } from '../api-users.ts'
import { isAtLeast } from '../http/sign-on.ts'
import { requireHeld } from './bounds.ts'
import type { ApiUsersParts } from './parts.ts'

export type TokenBounds = {
  /** To be handed a new token. @throws Problem `role_forbids` */
  requireToken(actor: Actor, user: ApiUser): void
  /** To let the token that is out there reach further. @throws Problem `role_forbids` */
  requireReach(actor: Actor, user: ApiUser): void
}

type Parts = Pick<ApiUsersParts, 'policy' | 'clock' | 'observeUntilMs'>

export function createTokenBounds({ policy, clock, observeUntilMs }: Parts): TokenBounds {
  /** By name, in a file that only people who review policies change. */
  function isExcepted({ name, home }: ApiUser): boolean {
    const word = home === 'git' ? name : `store:${name}`
    return policy.set.frame.guardrails.some(({ except }) => except.includes(word))
  }

  function requireReach(actor: Actor, user: ApiUser): void {
    const isObserved = (user.observeUntilMs ?? 0) > clock.now()
    if (isOwnerOfAll(actor) || (!isObserved && !isExcepted(user))) return
    const why = isObserved ? 'is under observation' : 'is excepted from a guardrail by name'
    throw new Problem('role_forbids', {
      says: `${user.name} ${why}: its token is for an owner without a product.`,
    })
  }

  return {
    requireReach,
    requireToken(actor, user) {
      requireReach(actor, user)
      requireHeld(actor, observeUntilMs ?? 0, clock.now())
    },
  }
}

function isOwnerOfAll({ operator: { role, product } }: Actor): boolean {
  return isAtLeast(role, 'owner') && product === undefined
}
