/** How every change is made: on the audit log first, with before and after; then done; then how it ended. */

import type { AuditLog } from '../../audit/audit-log.ts'
import { Problem } from '../../domain/problem.ts'
import { OperatorConflict } from '../../store/operator-store.ts'
import { StoreUnavailable } from '../../store/sql/sql.ts'
import { TokenConflict } from '../../store/token-store.ts'
import { TokenRefused } from '../../store/tokens.ts'
import { UserConflict } from '../../store/user-store.ts'
import type { Actor } from '../api-users.ts'

type View = Readonly<Record<string, unknown>>

export type Intent = {
  /** As `user.create`. */
  change: string
  target: string
  before: View | undefined
  after: View | undefined
  /** HTTP status where all goes well. */
  status: number
}

export type Changing = <T>(actor: Actor, intent: Intent, work: () => Promise<T>) => Promise<T>

/** Author of an operator's changes. */
export function authorOf({ operator }: Actor): string {
  return `operator:${operator.name}`
}

/**
 * `work` is the change alone: what throws in it was not made.
 * @returns what throws Problem `audit_unavailable` before anything is done, and what `work` throws as a Problem
 */
export function createChanging(audit: Pick<AuditLog, 'change'>): Changing {
  return async (actor, { change, target, before, after, status }, work) => {
    const { requestId, address, agent } = actor
    const by = authorOf(actor)
    const byToken = actor.operator.tokenId
    const entry = await audit.change({
      ...{ requestId, by, byToken, change, target, before, after, address, agent },
    })
    try {
      const result = await work()
      entry.close({ status, ended: 'changed' })
      return result
    } catch (error) {
      const problem = toProblem(error)
      entry.close({ status: problem.status, ended: problem.code })
      throw problem
    }
  }
}

/** What the store refuses, as operators hear of it. */
export function toProblem(error: unknown): Problem {
  if (error instanceof UserConflict) return new Problem('conflict', { cause: error })
  if (error instanceof TokenConflict || error instanceof OperatorConflict) {
    return new Problem('conflict', { says: error.message, cause: error })
  }
  if (error instanceof TokenRefused) {
    return new Problem('unprocessable', { says: error.message, cause: error })
  }
  if (error instanceof StoreUnavailable) {
    return new Problem('store_unavailable', { cause: error, retryAfterS: 1 })
  }
  return Problem.from(error)
}
