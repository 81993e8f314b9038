/** The admin port put together from the parts of a running gate. */

import type { Server } from 'node:http'
import type { AuditLog } from '../audit/audit-log.ts'
import type { Catalog } from '../domain/catalog.ts'
import type { Clock } from '../domain/clock.ts'
import type { Problem } from '../domain/problem.ts'
import type { PolicyEngine } from '../policy/policy-engine.ts'
import type { OperatorTokens } from '../store/operator-tokens.ts'
import type { Store } from '../store/store.ts'
import type { Tokens } from '../store/tokens.ts'
import type { Directory } from '../upstream/directory.ts'
import { adminOperations } from './admin-operations.ts'
import type { ApiUsers } from './api-users.ts'
import { createAdminPort } from './app.ts'
import type { ListenerLimits } from './http/listener.ts'
import { createInTurn } from './looks.ts'
import type { AnyOperation } from './operation.ts'
import { createOperators } from './operators.ts'
import { createRights } from './rights/rights.ts'
import { createSurvey } from './survey.ts'
import { createChanging } from './users/changing.ts'
import { createApiUsers } from './users/create-api-users.ts'
import { createRecords } from './users/records.ts'

export type AdminParts = {
  store: Store
  operatorTokens: OperatorTokens
  tokens: Tokens
  policy: PolicyEngine
  directory: Directory
  catalog: Catalog
  audit: AuditLog
  clock: Clock
  /** Whether API users may live outside the policy files. */
  outsideGit: boolean
  /** How long before its end a token's end is spoken of. */
  warnBeforeMs: number
  /** Everybody is observed until then. */
  observeUntilMs: number | undefined
  replica: { name: string; boot: string }
  /** What is left of the cloud's quota, as JSON; absent: nothing is known yet. */
  quota: () => Readonly<Record<string, unknown>> | undefined
  limits: ListenerLimits
  /** The caller's address: the socket's peer, or what a trusted proxy in front says. */
  addressOf: (peer: string | undefined, rawHeaders: readonly string[]) => string
  /** What was no caller's fault; the answer was a bare 500. */
  onFault: (error: Problem, requestId: string) => void
}

export type Admin = {
  /** For the operations that are built beside it. */
  apiUsers: ApiUsers
  /**
   * Not listening yet.
   * @param extra the cloud's own team API, and signing in
   * @param sessionCookie name of the cookie that holds a sign-in; absent: there is none
   * @throws Error where two operations stand at one place
   */
  port(extra: readonly AnyOperation[], sessionCookie: string | undefined): Server
}

export function createAdmin(parts: AdminParts): Admin {
  const { store, operatorTokens, tokens, policy, directory, catalog, audit, clock } = parts
  const { warnBeforeMs, observeUntilMs, replica, quota, limits, addressOf, onFault } = parts
  const inTurn = createInTurn()
  const apiUsers = createApiUsers({ ...parts, inTurn })
  const records = createRecords(parts)
  const rights = createRights({ apiUsers, records, store, policy, catalog, directory, clock })
  const operators = createOperators({ catalog, operatorTokens, changing: createChanging(audit) })
  const survey = createSurvey({ store, tokens, policy, clock, warnBeforeMs, inTurn })
  const status = { policy, store, audit, clock, replica, observeUntilMs, survey, quota }
  const times = () => ({ nowMs: clock.now(), warnBeforeMs })
  const errorShape = catalog.errors

  return {
    apiUsers,
    port(extra, sessionCookie) {
      const common = { errorShape, sessionCookie }
      const work = { apiUsers, rights, operators, status, times, extra }
      return createAdminPort({
        operations: adminOperations({ ...work, ...common }),
        ...{ ...common, operatorTokens, audit, limits, clock, addressOf, onFault },
      })
    },
  }
}
