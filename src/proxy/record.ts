/** One request's way into the audit log: one decision or one reject row, never both, never neither. */

import type { AuditEntry, DecisionFields, OutcomeFields, StreamCount } from '../audit/audit-log.ts'
import type { AccessRequest, RequestContext } from '../domain/access-request.ts'
import type { Route } from '../domain/catalog.ts'
import type { Decision, Enforcement } from '../domain/decision.ts'
import type { Principal } from '../domain/principal.ts'
import { Problem } from '../domain/problem.ts'
import type { CanonicalTarget } from '../domain/target.ts'
import { parseToken } from '../store/token-format.ts'
import type { Asked } from './describe.ts'
import { enforcementOf, writes } from './enforce.ts'
import type { Exchange } from './exchange.ts'
import type { PipelineParts } from './pipeline.ts'
import { encodeSegment } from './target.ts'

/** `committed`: the decision record stands, or its writing was tried and failed. */
type Stage = 'unknown' | 'identified' | 'committed' | 'rejected'

export type RecordParts = Pick<PipelineParts, 'audit' | 'policy' | 'durability'>

/** A class, so that a request costs one object and no closures. */
export class RequestRecord {
  readonly context: RequestContext
  readonly #parts: RecordParts
  readonly #exchange: Exchange
  readonly #entry: AuditEntry
  #stage: Stage = 'unknown'
  #claimed: string | undefined
  #principal: Principal | undefined
  #target: CanonicalTarget | undefined
  #route: Route | undefined

  constructor(parts: RecordParts, exchange: Exchange) {
    const { requestId, atMs, address } = exchange.envelope
    this.context = { requestId, atMs, address }
    this.#parts = parts
    this.#exchange = exchange
    this.#entry = parts.audit.open(exchange.envelope)
  }

  /** What a caller says it is: its public id goes into the row of a token that is refused. */
  claim(token: string | undefined): void {
    this.#claimed = token
  }

  identify(principal: Principal, target: CanonicalTarget): void {
    this.#principal = principal
    this.#target = target
    this.#stage = 'identified'
  }

  note(route: Route): void {
    this.#route = route
  }

  /** @throws Problem `audit_unavailable`: nothing may then be served. */
  commit(asked: Asked, decision: Decision): Promise<void> {
    const { target, requests } = asked
    return this.#commit(target, requests, decision, enforcementOf(asked, decision))
  }

  /** Writes down a refusal that came before the decision record; returns what the client is told. */
  async refuse(problem: Problem): Promise<Problem> {
    if (this.#stage === 'unknown') {
      this.#stage = 'rejected'
      const { code, status } = problem
      const claimed = parseToken(this.#claimed ?? '', 'u')
      const tokenId = claimed.result === 'ok' ? { tokenId: claimed.id } : {}
      this.#parts.audit.reject({ ...this.#exchange.envelope, reason: code, status, ...tokenId })
      return problem
    }
    if (this.#stage !== 'identified') return problem
    try {
      const target = `/${this.#target?.segments.map(encodeSegment).join('/') ?? ''}`
      await this.#commit(target, [], { outcome: 'deny', reason: problem.code }, 'reject')
      return problem
    } catch (thrown) {
      return Problem.from(thrown)
    }
  }

  progress(count: StreamCount): void {
    this.#entry.progress(count)
  }

  close(outcome: OutcomeFields | undefined): void {
    if (this.#stage === 'committed') this.#entry.close(outcome ?? noOutcome)
  }

  #commit(
    target: string,
    requests: readonly AccessRequest[],
    result: DecisionFields['result'],
    enforcement: Enforcement,
  ): Promise<void> {
    const { policy, durability } = this.#parts
    const principal = this.#principal
    if (principal === undefined) throw new Problem('internal', { cause: 'a decision for nobody' })
    this.#stage = 'committed'
    const fields: DecisionFields = {
      user: principal.user,
      tokenId: principal.tokenId,
      revision: policy.revision,
      grant: policy.user(principal.user)?.grantHash,
      issuedGrant: principal.issuedHash,
      route: this.#route?.id,
      target,
      requests,
      result,
      enforcement,
    }
    const changes = result.outcome === 'allow' && writes(this.#exchange)
    return this.#entry.commit(fields, changes ? durability.change : durability.read)
  }
}

const noOutcome: OutcomeFields = {
  status: 0,
  upstreamStatus: undefined,
  upstreamRequestId: undefined,
  bytes: 0,
  ended: 'internal',
}
