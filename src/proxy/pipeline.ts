/** The whole life of one proxied request, top to bottom. Nothing else decides, forwards or records. */

import type { AuditLog, Durability, OutcomeFields } from '../audit/audit-log.ts'
import type { Catalog } from '../domain/catalog.ts'
import { Problem } from '../domain/problem.ts'
import type { PolicyEngine } from '../policy/policy-engine.ts'
import type { Tokens } from '../store/tokens.ts'
import { takeCredential } from './credentials.ts'
import type { Decide } from './decide.ts'
import type { Describe } from './describe.ts'
import type { Enforce } from './enforce.ts'
import type { Exchange } from './exchange.ts'
import { requirePlainHead } from './plain-head.ts'
import { RequestRecord } from './record.ts'
import type { MatchRoute } from './routing.ts'
import { canonicalTarget } from './target.ts'

export type PipelineParts = {
  catalog: Catalog
  tokens: Tokens
  matchRoute: MatchRoute
  describe: Describe
  decide: Decide
  policy: PolicyEngine
  enforce: Enforce
  audit: AuditLog
  /** Told the private cause of what a client sees as a bare 500. */
  onFault: (cause: unknown) => void
  durability: Readonly<Record<'read' | 'change', Durability>>
}

export type Pipeline = (exchange: Exchange) => Promise<void>

export function createPipeline(parts: PipelineParts): Pipeline {
  const { catalog, tokens, matchRoute, describe, decide, enforce, onFault } = parts
  return async function handle(exchange: Exchange): Promise<void> {
    const record = new RequestRecord(parts, exchange)
    let outcome: OutcomeFields | undefined
    try {
      requirePlainHead(exchange.raw) //                                          raw request
      const target = canonicalTarget(exchange.raw.target) //                  -> canonical target
      const credential = await takeCredential(exchange, target, catalog.credentials) // -> token
      record.claim(credential.token)
      const principal = tokens.authenticate(credential.token) //              -> API user
      record.identify(principal, credential.target)
      const { route, params } = matchRoute(exchange.raw.method, credential.target) // -> route
      record.note(route)
      const asked = await describe(exchange, route, params, credential, principal) // -> access request
      const decision = await decide(principal, asked, record.context) //      -> decision
      await record.commit(asked, decision) //                                 -> audit commit
      tokens.confirm(principal)
      outcome = await enforce(exchange, principal, asked, decision) //        -> forward | filter | reject
    } catch (thrown) {
      const problem = await record.refuse(Problem.from(thrown)) //            no record, no service
      if (problem.code === 'internal') onFault(problem.cause)
      outcome = exchange.reject(problem)
    } finally {
      record.close(outcome) //                                                -> audit close
    }
  }
}
