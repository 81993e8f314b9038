/** What an operator may touch: role, product, and what no operator may hand out. */

import type { ApiUser } from '../../domain/grant.ts'
import { Problem } from '../../domain/problem.ts'
import type { UserRow } from '../../store/user-store.ts'
import type { Actor } from '../api-users.ts'
import { isAtLeast } from '../http/sign-on.ts'
import { placeOf, type Found } from './records.ts'

type Place = UserRow['place']

/** Whether all of that place lies inside the operator's product. */
export function isWithin({ operator: { product } }: Actor, { products, organization }: Place) {
  if (product === undefined) return true
  return organization === undefined && products.length === 1 && products[0] === product
}

/** As its definition was meant when it was written and as it is today: policy files give their names to other products. */
export function isVisible(actor: Actor, { record: { user }, place }: Found): boolean {
  return isWithin(actor, place) && (user === undefined || isWithin(actor, placeOf(user)))
}

/** Beyond an operator's product there is nothing. @throws Problem `not_found` */
export function requireVisible(actor: Actor, found: Found | undefined): Found {
  if (found !== undefined && isVisible(actor, found)) return found
  throw new Problem('not_found', { says: 'There is no such API user.' })
}

/** @throws Problem `role_forbids` */
export function requireEditor({ operator: { role } }: Actor): void {
  if (isAtLeast(role, 'editor')) return
  throw new Problem('role_forbids', { says: `This takes the role editor; yours is ${role}.` })
}

/** @throws Problem `role_forbids` where it reaches beyond the operator's product */
export function requireWithin(actor: Actor, user: ApiUser): void {
  if (isWithin(actor, placeOf(user))) return
  const { product = '' } = actor.operator
  throw new Problem('role_forbids', {
    says: `You administer product ${product} alone; the whole boundary must be that product.`,
  })
}

/**
 * Nobody is refused under observation, guardrails included: only who owns everything may begin it.
 * @throws Problem `role_forbids`
 */
export function requireObserver(
  { operator: { role, product } }: Actor,
  before: ApiUser | undefined,
  after: ApiUser,
): void {
  if (!observesLonger(before, after)) return
  if (isAtLeast(role, 'owner') && product === undefined) return
  throw new Problem('role_forbids', {
    says: 'Only an owner without a product may put an API user under observation.',
  })
}

export function observesLonger(before: ApiUser | undefined, after: ApiUser): boolean {
  return (after.observeUntilMs ?? 0) > (before?.observeUntilMs ?? 0)
}

/**
 * Where everybody is observed a token reaches all that the gate reaches: no operator of one product is handed one.
 * @param untilMs of everybody's observation; 0: none
 * @throws Problem `role_forbids`
 */
export function requireHeld({ operator: { product } }: Actor, untilMs: number, nowMs: number) {
  if (product === undefined || untilMs <= nowMs) return
  throw new Problem('role_forbids', {
    says: 'Everybody is under observation, and no token is held to its product; tokens are for operators without a product.',
  })
}
