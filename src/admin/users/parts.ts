/** What the work on API users needs of the rest of the gate. */

import type { AuditLog } from '../../audit/audit-log.ts'
import type { Clock } from '../../domain/clock.ts'
import type { PolicyEngine } from '../../policy/policy-engine.ts'
import type { Store } from '../../store/store.ts'
import type { Tokens } from '../../store/tokens.ts'
import type { InTurn } from '../looks.ts'

export type ApiUsersParts = {
  store: {
    users: Omit<Store['users'], 'displace' | 'clashes'>
    changes: Pick<Store['changes'], 'state'>
    tokens: Pick<Store['tokens'], 'replace'>
  }
  tokens: Pick<Tokens, 'list' | 'newest' | 'prepare' | 'extend' | 'revoke'>
  policy: Pick<PolicyEngine, 'user' | 'compile' | 'set'>
  audit: Pick<AuditLog, 'change'>
  clock: Clock
  /** Whether API users may live outside the policy files. */
  outsideGit: boolean
  /** How long before its end a token counts as ending soon. */
  warnBeforeMs: number
  /** For what looks at everything. */
  inTurn: InTurn
  /** Everybody is observed until then. */
  observeUntilMs: number | undefined
}
