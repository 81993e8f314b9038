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
  /** Absent: a token that the gate does not know, observed. */
  user: string | undefined
  tokenId: string | undefined
  revision: string
  grant: string | undefined
  issuedGrant: string | undefined
  /** Under observation: a denial is written down as `would_deny`, and forwarded. */
  observed?: Observed
  /** Route id; undefined where none matched. */
  route: string | undefined
  /** Canonical target, rebuilt, without credentials. */
  target: string
  requests: readonly AccessRequest[]
  /** A Problem where the request never became an access request (bad body, unmapped route, …). */
  result: Decision | { outcome: 'deny'; reason: ProblemCode }
  enforcement: Enforcement
}

export type Observed = {
  /** When enforcement begins again, milliseconds since the epoch. */
  untilMs: number
  /** Tells callers apart whose tokens the gate does not know: a keyed hash of the token, 16 hex digits. */
  fingerprint?: string
  /** Of an allow whose answer would have been cut. */
  would?: 'filter'
}

/** What an operator changes: before it is changed. Nothing of a token may be in it. */
export type ChangeFields = {
  requestId: string
  /** `operator:NAME`. */
  by: string
  /** Public id of the token it was made with; a name may have had several. */
  byToken: string
  /** As `user.create`, `token.rotate`, `operator.revoke`. */
  change: string
  /** What it is about: the name of an API user or an operator. */
  target: string
  before: Readonly<Record<string, unknown>> | undefined
  after: Readonly<Record<string, unknown>> | undefined
  address: string
  agent: string | undefined
}

/** `close` once: how it ended. Never throws. */
export interface ChangeEntry {
  close(fields: { status: number; ended: string }): void
}

export type OutcomeFields = {
  /** HTTP status sent to the client; 0: nothing was sent. */
  status: number
  upstreamStatus: number | undefined
  upstreamRequestId: string | undefined
  /** When the cloud asked to be called again, whole seconds. */
  retryAfterS?: number | undefined
  /** Body bytes sent to the client. */
  bytes: number
  /** Why it ended: `answered`, a problem code, `client_gone`, `upstream_reset`; of a stream also `revoked`, `expired`, `not_granted`, `slow_reader`, `shutdown`, `attribute_unavailable` (too much waited for attributes that could not be had). */
  ended: string
  /** How a list was cut: from where its items came, how many this API user can see, how old they were (milliseconds). */
  list?: { way: ListWay; total: number; ageMs: number }
  /** Of an event stream. */
  events?: StreamCount
}

/**
 * `whole`: the cloud's own answer, items taken out of it. `ids`: each device asked for by its id. `narrowed`: the cloud
 * left out what could not pass. `index`: read from the whole list of the place.
 */
export type ListWay = 'whole' | 'ids' | 'narrowed' | 'index'

/**
 * Events since the stream was opened. `tooLarge`: left out for their size, so that nobody knows whose they were; absent:
 * none.
 */
export type StreamCount = { sent: number; withheld: number; tooLarge?: number }

/** A request that never had a valid token, or never became a request. */
export type RejectFields = Omit<Envelope, 'requestId' | 'atMs'> & {
  requestId: string
  atMs: number
  /** A problem code, or `preflight`. */
  reason: ProblemCode | 'preflight'
  status: number
  /** Public id of a token that was well formed but not valid; never the token. */
  tokenId?: string
  /** Who was refused, `operator:NAME`. */
  by?: string
  /** Absent: the data port. */
  port?: 'admin'
}

/** One request's place in the log. Exactly one of `commit` and `reject` is called, once; then `close` once. */
export interface AuditEntry {
  /**
   * Resolves when the decision record is as durable as asked.
   * @throws Problem `audit_unavailable` when it is not within the bound; nothing may then be served.
   */
  commit(fields: DecisionFields, durability: Durability): Promise<void>
  /** Once a minute while a stream is open: a record of what has passed so far. Never throws. */
  progress(count: StreamCount): void
  /** Writes the outcome record of a committed entry. Never throws; a failure makes the next `commit` fail. */
  close(fields: OutcomeFields): void
}

export interface AuditLog extends AsyncDisposable {
  open(envelope: Envelope): AuditEntry
  /** A row in the reject stream, summarised in floods. Never throws, never blocks the decision stream. */
  reject(fields: RejectFields): void
  /**
   * Resolves when the record of a change is synced; only then may it be made.
   * @throws Problem `audit_unavailable`
   */
  change(fields: ChangeFields): Promise<ChangeEntry>
  /**
   * Policy reloads, token revocations and other things that are not requests: a record of their own kind. False: there
   * was no room for it.
   */
  event(name: string, fields: Readonly<Record<string, unknown>>): boolean
  /** Resolves when all accepted records are on disk. */
  flush(): Promise<void>
  state(): { healthy: boolean; queued: number; failed: string | undefined }
}
