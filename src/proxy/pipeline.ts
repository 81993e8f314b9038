/** The whole life of one proxied request, top to bottom. Nothing else decides, forwards or records. */

import type { AuditLog, Durability, OutcomeFields } from '../audit/audit-log.ts'
import type { Catalog } from '../domain/catalog.ts'
import { Problem, type ProblemCode } from '../domain/problem.ts'
import type { PolicyEngine } from '../policy/policy-engine.ts'
import type { Tokens } from '../store/tokens.ts'
import { endsSoon, soleCredential, type Identify } from './caller.ts'
import { findCredential } from './credentials.ts'
import type { Decide } from './decide.ts'
import type { Describe } from './describe.ts'
import { refusalOf, type Enforce } from './enforce.ts'
import type { Exchange } from './exchange.ts'
import type { Observe } from './observe.ts'
import { requirePlainHead } from './plain-head.ts'
import { RequestRecord } from './record.ts'
import type { MatchRoute } from './routing.ts'
import { canonicalTarget } from './target.ts'

export type PipelineParts = {
  catalog: Catalog
  tokens: Pick<Tokens, 'confirm'>
  identify: Identify
  matchRoute: MatchRoute
  describe: Describe
  decide: Decide
  policy: PolicyEngine
  enforce: Enforce
  observe: Observe
  audit: AuditLog
  /** Told what went wrong where neither client nor policy is at fault: its cause is for operators alone. */
  onFault: (problem: Problem, requestId: string) => void
  durability: Readonly<Record<'read' | 'change', Durability>>
  /** How long before its end answers speak of a token's end. */
  warnBeforeMs: number
}

/** The gate's own, and answers of the cloud that the catalog or the configuration does not fit. */
const FAULTS: ReadonlySet<ProblemCode> = new Set([
  'internal',
  'unfilterable_answer',
  'upstream_refused',
  'upstream_failed',
  'upstream_timeout',
  'attribute_unavailable',
])

export type Pipeline = (exchange: Exchange) => Promise<void>

export function createPipeline(parts: PipelineParts): Pipeline {
  const { catalog, tokens, identify, matchRoute, describe, decide, enforce, observe } = parts
  return async function handle(exchange: Exchange): Promise<void> {
    const record = new RequestRecord(parts, exchange)
    const { atMs } = record.context
    let outcome: OutcomeFields | undefined
    try {
      requirePlainHead(exchange.raw) //                                          raw request
      const target = canonicalTarget(exchange.raw.target) //                  -> canonical target
      const credential = await findCredential(exchange, target, catalog.credentials) // -> token
      record.claim(credential.token)
      const found = await identify(credential, record.context) //             -> API user
      if (found.kind === 'outside') {
        record.identify(found.principal, credential.target)
        await record.deny(found.denial) //                                    -> from where: before all else
        throw refusalOf(found.denial)
      }
      const caller = await soleCredential(exchange, credential, found, catalog.credentials)
      if (caller.kind !== 'stranger') {
        record.identify(caller.principal, credential.target)
        exchange.isOf(caller.principal.user)
        exchange.tokenEnds(endsSoon(caller.principal, atMs, parts.warnBeforeMs))
      }
      if (caller.kind !== 'enforced') {
        outcome = await observe(exchange, credential, caller, record) //      observed: decided and recorded alike,
        return //                                                               and sent on all the same
      }
      const { principal } = caller
      const { route, params } = matchRoute(exchange.raw.method, credential.target) // -> route
      record.note(route)
      const asked = await describe(exchange, route, params, credential, principal) // -> access request
      const decision = await decide(principal, asked, record.context) //      -> decision
      await record.commit(asked, decision) //                                 -> audit commit
      await tokens.confirm(principal)
      outcome = await enforce(exchange, principal, asked, decision, record) // -> forward | filter | reject
    } catch (thrown) {
      const problem = await record.refuse(Problem.from(thrown)) //            no record, no service
      if (FAULTS.has(problem.code)) parts.onFault(problem, exchange.envelope.requestId)
      outcome = exchange.reject(problem)
    } finally {
      record.close(outcome) //                                                -> audit close
    }
  }
}
