/** From the claims of a sign-in to an operator: who it is, and which role its groups make. */

import type { OidcConfig } from '../../config/config.ts'
import { Problem } from '../../domain/problem.ts'
import { valueAtPath } from '../../lib/cloud-json.ts'
import type { OperatorRole } from '../../store/operator-store.ts'

export type Claims = Readonly<Record<string, unknown>>
export type Person = { name: string; role: OperatorRole; subject: string }

type ClaimConfig = Pick<OidcConfig, 'nameClaim' | 'roleClaim' | 'roles'>

/** @throws Problem `sign_in_refused` for whom none of the groups let in */
export function personOf(claims: Claims, { nameClaim, roleClaim, roles }: ClaimConfig): Person {
  const name = claimAt(claims, nameClaim)
  const { sub: subject } = claims
  if (typeof name !== 'string' || typeof subject !== 'string') {
    throw refused(`The provider does not say who you are (claim ${nameClaim}).`)
  }
  // Where people enter addresses themselves, one that nobody has verified may be anybody's.
  if (nameClaim === 'email' && isDenied(claims['email_verified'])) {
    throw refused('The provider has not verified your address.')
  }
  const groups = groupsOf(claimAt(claims, roleClaim))
  const role = (['owner', 'editor', 'viewer'] as const).find((one) =>
    roles[one].some((group) => groups.includes(group)),
  )
  if (role === undefined) {
    throw refused(`None of your groups (claim ${roleClaim}) makes you an operator.`)
  }
  return { name, role, subject }
}

function refused(says: string): Problem {
  return new Problem('sign_in_refused', { says })
}

/** A claim's name may have dots in it; else they lead into an object. */
function claimAt(claims: Claims, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : valueAtPath(claims, name)
}

function groupsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value]
}

function isDenied(verified: unknown): boolean {
  return verified !== undefined && verified !== true && verified !== 'true'
}
