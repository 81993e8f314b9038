/** One request's way into the audit log: one decision or one reject row, never both, never neither. */

import type { AuditEntry, DecisionFields, OutcomeFields } from '../audit/audit-log.ts'
import type { RequestContext } from '../domain/access-request.ts'
import type { Route } from '../domain/catalog.ts'
import type { Decision } from '../domain/decision.ts'
import type { Principal } from '../domain/principal.ts'
import { Problem } from '../domain/problem.ts'
import type { CanonicalTarget } from '../domain/target.ts'
import type { Asked } from './describe.ts'
import { enforcementOf, writes } from './enforce.ts'
import type { Exchange } from './exchange.ts'
import type { PipelineParts } from './pipeline.ts'
import { encodeSegment } from './target.ts'

export type RequestRecord = {
  context: RequestContext
  identify(principal: Principal, target: CanonicalTarget): void
  note(route: Route): void
  /** @throws Problem `audit_unavailable`: nothing may then be served. */
  commit(asked: Asked, decision: Decision): Promise<void>
  /** Writes down a refusal that came before the decision record; returns what the client is told. */
  refuse(problem: Problem): Promise<Problem>
  close(outcome: OutcomeFields | undefined): void
}

/** `committed`: the decision record stands, or its writing was tried and failed. */
type Stage = 'unknown' | 'identified' | 'committed' | 'rejected'

export function createRecord(
  { audit, policy, durability }: Pick<PipelineParts, 'audit' | 'policy' | 'durability'>,
  exchange: Exchange,
): RequestRecord {
  const { envelope } = exchange
  const entry: AuditEntry = audit.open(envelope)
  let stage: Stage = 'unknown'
  let caller: { principal: Principal; target: CanonicalTarget } | undefined
  let route: Route | undefined

  function callerFields(principal: Principal) {
    return {
      user: principal.user,
      tokenId: principal.tokenId,
      revision: policy.revision,
      grant: policy.user(principal.user)?.grantHash,
      issuedGrant: principal.issuedHash,
      route: route?.id,
    }
  }

  async function commit(fields: DecisionFields): Promise<void> {
    stage = 'committed'
    const changes = fields.result.outcome === 'allow' && writes(exchange)
    await entry.commit(fields, changes ? durability.change : durability.read)
  }

  return {
    context: {
      requestId: envelope.requestId,
      atMs: envelope.atMs,
      address: envelope.address,
    },
    identify(principal, target) {
      caller = { principal, target }
      stage = 'identified'
    },
    note(matched) {
      route = matched
    },
    async commit(asked, decision) {
      if (caller === undefined) throw new Problem('internal', { cause: 'a decision for nobody' })
      await commit({
        ...callerFields(caller.principal),
        target: asked.target,
        requests: asked.requests,
        result: decision,
        enforcement: enforcementOf(asked, decision),
      })
    },
    async refuse(problem) {
      if (stage === 'unknown') {
        stage = 'rejected'
        audit.reject({ ...envelope, reason: problem.code, status: problem.status })
        return problem
      }
      if (stage !== 'identified' || caller === undefined) return problem
      try {
        await commit({
          ...callerFields(caller.principal),
          target: `/${caller.target.segments.map(encodeSegment).join('/')}`,
          requests: [],
          result: { outcome: 'deny', reason: problem.code },
          enforcement: 'reject',
        })
        return problem
      } catch (thrown) {
        return Problem.from(thrown)
      }
    },
    close(outcome) {
      if (stage !== 'committed') return
      entry.close(
        outcome ?? {
          ...{ status: 0, upstreamStatus: undefined, upstreamRequestId: undefined },
          ...{ bytes: 0, ended: 'internal' },
        },
      )
    },
  }
}
