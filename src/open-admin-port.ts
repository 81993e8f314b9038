/** The admin port put together: operators, the REST API, the cloud's own team API, and sign-in where it is configured. */

import { randomBytes } from 'node:crypto'
import type { Server } from 'node:http'
import { createAdmin } from './admin/create-admin.ts'
import { createTeamOperations } from './admin/team/operations.ts'
import type { AuditLog } from './audit/audit-log.ts'
import type { Config } from './config/config.ts'
import type { Catalog } from './domain/catalog.ts'
import type { Clock } from './domain/clock.ts'
import type { Log } from './lib/log.ts'
import type { DataPort } from './open-data-port.ts'
import type { PolicyEngine } from './policy/policy-engine.ts'
import { createAddressOf } from './proxy/client-address.ts'
import { createOperatorTokens } from './store/operator-tokens.ts'
import type { Store } from './store/store.ts'
import type { Tokens } from './store/tokens.ts'

export type AdminPortParts = {
  config: Config
  catalog: Catalog
  policy: PolicyEngine
  store: Store
  tokens: Tokens
  audit: AuditLog
  clock: Clock
  log: Log
  data: Pick<DataPort, 'directory' | 'forecast'>
  replica: { name: string; boot: string }
}

/** Few people at a time, and none of them sends much. */
const maxConnections = 200
/** Nobody needs longer for a head, and each that is not finished holds a connection. */
const maxHeadMs = 5_000

/** Not listening yet. @throws Error where sign-in is configured so that it cannot be safe */
export async function openAdminPort(parts: AdminPortParts): Promise<Server> {
  const { config, catalog, store, audit, clock, log, data } = parts
  const { operators, apiUsers, tokens, timeouts, limits, observeUntilMs } = config
  const { directory } = data
  const operatorTokens = createOperatorTokens({ store, clock, random: randomBytes })
  const admin = createAdmin({
    ...{ ...parts, operatorTokens, directory, observeUntilMs },
    outsideGit: apiUsers.outsideGit,
    warnBeforeMs: tokens.warnBeforeMs,
    quota: data.forecast,
    limits: {
      headersTimeoutMs: Math.min(timeouts.headersMs, maxHeadMs),
      requestTimeoutMs: timeouts.requestMs,
      keepAliveTimeoutMs: timeouts.keepAliveMs,
      maxHeaderBytes: limits.headerBytes,
      maxConnections,
    },
    addressOf: createAddressOf(config.trustedProxies),
    onFault: (error, requestId) =>
      log.error('a request of an operator ended in a fault', { error, requestId }),
  })
  const team = createTeamOperations({
    ...{ catalog, directory, random: randomBytes },
    apiUsers: admin.apiUsers,
    expiry: apiUsers.teamApiExpiry,
  })
  const { oidc, sessionMs } = operators
  if (oidc === undefined) return admin.port(team, undefined)
  // Only now, so that a gate without sign-in does not carry the client in memory.
  const { createSignIn } = await import('./admin/sign-in/sign-in.ts')
  const signIn = createSignIn({
    ...{ oidc, sessionMs, operatorTokens, audit, clock, log, random: randomBytes },
  })
  return admin.port([...team, ...signIn.operations], signIn.sessionCookie)
}
