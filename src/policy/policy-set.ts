/** A policy set that loaded whole: API users of the files, and what those of the store are compiled under. */

import type { ApiUser } from '../domain/grant.ts'
import type { UserFrame } from './user-frame.ts'

/** Plain data that survives a structured clone. */
export type PolicySet = {
  users: ReadonlyMap<string, ApiUser>
  /** Hash of policy files + catalog + gate version. */
  revision: string
  /** Git commit of the policy folder, where there is one. */
  commit?: string
  frame: UserFrame
}
