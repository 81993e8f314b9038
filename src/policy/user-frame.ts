/** What the policy files give to the API users of the store: roles, guardrails and names. Plain data, for it crosses threads. */

import type { FleetNames } from './fleet.ts'
import type { RoleDraft } from './roles.ts'
import type { RuleDraft } from './rule-draft.ts'

export type UserFrame = {
  roles: ReadonlyMap<string, RoleDraft>
  guardrails: readonly RuleDraft[]
  names: FleetNames
}

/** Of policy files that say nothing. */
export const EMPTY_FRAME: UserFrame = {
  roles: new Map(),
  guardrails: [],
  names: { organization: new Map(), product: new Map(), device: new Map() },
}
