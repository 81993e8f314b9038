/** The contract of the audit log: no request is served that it has not written down. */

import type { Decision, Enforcement } from '../domain/decision.ts'
import type { AccessRequest } from '../domain/access-request.ts'
import type { ProblemCode } from '../domain/problem.ts'

/**
 * How far a record has come before a request goes on. `written`: the write call returned (survives the death of
 * the process). `synced`: fdatasync returned (survives the death of the machine).
 */
export type Durability = 'written' | 'synced'

/** What is known of a request before anything is decided. */
export type Envelope = {
  requestId: string
  atMs: number
  method: string
  /** Raw request target, without credentials; written only as a hash, for unparsable ones truncated and escaped. */
  rawTarget: string
  address: string
  agent: string | undefined
}

/** The decision record: what was asked, by whom, and what was answered, before anything goes upstream or back. */
export type DecisionFields = {
  user: string
  tokenId: string
  revision: string
  grant: string | undefined
  issuedGrant: string
  /** Route id; undefined where none matched. */
  route: string | undefined
  /** Canonical target, rebuilt, without credentials. */
  target: string
  requests: readonly AccessRequest[]
  /** A Problem where the request never became an access request (bad body, unmapped route, …). */
  result: Decision | { outcome: 'deny'; reason: ProblemCode }
  enforcement: Enforcement
}

export type OutcomeFields = {
  /** HTTP status sent to the client; 0: nothing was sent. */
  status: number
  upstreamStatus: number | undefined
  upstreamRequestId: string | undefined
  /** Body bytes sent to the client. */
  bytes: number
  /** Why it ended: `answered`, a problem code, `client_gone`, `upstream_reset`. */
  ended: string
}

/** A request that never had a valid token, or never became a request. */
export type RejectFields = Omit<Envelope, 'requestId' | 'atMs'> & {
  requestId: string
  atMs: number
  /** A problem code, or `preflight`. */
  reason: ProblemCode | 'preflight'
  status: number
  /** Public id of a token that was well formed but not valid; never the token. */
  tokenId?: string
}

/** One request's place in the log. Exactly one of `commit` and `reject` is called, once; then `close` once. */
export interface AuditEntry {
  /**
   * Resolves when the decision record is as durable as asked.
   * @throws Problem `audit_unavailable` when it is not within the bound; nothing may then be served.
   */
  commit(fields: DecisionFields, durability: Durability): Promise<void>
  /** Writes the outcome record of a committed entry. Never throws; a failure makes the next `commit` fail. */
  close(fields: OutcomeFields): void
}

export interface AuditLog extends AsyncDisposable {
  open(envelope: Envelope): AuditEntry
  /** A row in the reject stream, summarised in floods. Never throws, never blocks the decision stream. */
  reject(fields: RejectFields): void
  /** Policy reloads, token revocations and other things that are not requests: a record of their own kind. */
  event(name: string, fields: Readonly<Record<string, unknown>>): void
  /** Resolves when all accepted records are on disk. */
  flush(): Promise<void>
  state(): { healthy: boolean; queued: number; failed: string | undefined }
}
