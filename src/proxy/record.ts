/** One request's way into the audit log: one decision or one reject row, never both, never neither. */

import type {
  AuditEntry,
  DecisionFields,
  Observed,
  OutcomeFields,
  StreamCount,
} from '../audit/audit-log.ts'
import type { RequestContext } from '../domain/access-request.ts'
import type { Route } from '../domain/catalog.ts'
import type { Decision } from '../domain/decision.ts'
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
  /** Of the policies it was decided under. */
  revision: string
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
    this.revision = parts.policy.revision
    this.#exchange = exchange
    this.#entry = parts.audit.open(exchange.envelope)
  }

  /** What a caller says it is: its public id goes into the row of a token that is refused. */
  claim(token: string | undefined): void {
    this.#claimed = token
  }

  /** From here on it is a request of this API user, and what becomes of it a decision. */
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
    const enforcement = enforcementOf(asked, decision)
    const durability = decision.outcome === 'allow' ? this.#durability() : 'read'
    return this.#commit({ target, requests, result: decision, enforcement }, durability)
  }

  /** It is sent on whatever was decided. @throws Problem `audit_unavailable`: nothing may then be served. */
  observe(
    seen: Pick<DecisionFields, 'target' | 'requests' | 'result'>,
    observed: Observed,
  ): Promise<void> {
    const { target, requests, result } = seen
    // Nobody may have the disk synced for it whom the gate does not even know.
    const durability = this.#principal === undefined ? 'read' : this.#durability()
    return this.#commit({ target, requests, result, observed, enforcement: 'observe' }, durability)
  }

  /** Writes down what was denied before it was known what is asked. @throws Problem `audit_unavailable` */
  deny(result: DecisionFields['result'] & { outcome: 'deny' }): Promise<void> {
    const target = `/${this.#target?.segments.map(encodeSegment).join('/') ?? ''}`
    return this.#commit({ target, requests: [], result, enforcement: 'reject' }, 'read')
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
      await this.deny({ outcome: 'deny', reason: problem.code })
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

  #durability(): 'read' | 'change' {
    return writes(this.#exchange) ? 'change' : 'read'
  }

  #commit(said: Said, durability: 'read' | 'change'): Promise<void> {
    const { policy } = this.#parts
    const principal = this.#principal
    this.#stage = 'committed'
    this.revision = policy.revision
    const fields: DecisionFields = {
      user: principal?.user,
      tokenId: principal?.tokenId,
      revision: this.revision,
      grant: principal && policy.userOf(principal)?.grantHash,
      issuedGrant: principal?.issuedHash,
      route: this.#route?.id,
      ...said,
    }
    return this.#entry.commit(fields, this.#parts.durability[durability])
  }
}

/** What differs from one record of an API user to the next. */
type Said = Pick<DecisionFields, 'target' | 'requests' | 'result' | 'enforcement' | 'observed'>

const noOutcome: OutcomeFields = {
  status: 0,
  upstreamStatus: undefined,
  upstreamRequestId: undefined,
  bytes: 0,
  ended: 'internal',
}
