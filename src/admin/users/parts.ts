/** What the work on API users needs of the rest of the gate. */

import type { AuditLog } from '../../audit/audit-log.ts'
import type { Clock } from '../../domain/clock.ts'
import type { PolicyEngine } from '../../policy/policy-engine.ts'
import type { Store } from '../../store/store.ts'
import type { Tokens } from '../../store/tokens.ts'

export type ApiUsersParts = {
  store: {
    users: Omit<Store['users'], 'displace'>
    tokens: Pick<Store['tokens'], 'replace'>
  }
  tokens: Pick<Tokens, 'list' | 'prepare' | 'extend' | 'revoke'>
  policy: Pick<PolicyEngine, 'user' | 'compile' | 'set'>
  audit: Pick<AuditLog, 'change'>
  clock: Pick<Clock, 'now'>
  /** Whether API users may live outside the policy files. */
  outsideGit: boolean
  /** How long before its end a token counts as ending soon. */
  warnBeforeMs: number
  /** Everybody is observed until then. */
  observeUntilMs: number | undefined
}
