/** Carries out a decision: forward, filter, answer, or throw the refusal. */

import type { OutcomeFields } from '../audit/audit-log.ts'
import type { AccessRequest } from '../domain/access-request.ts'
import type { Catalog } from '../domain/catalog.ts'
import type { Decision, Enforcement } from '../domain/decision.ts'
import type { Principal } from '../domain/principal.ts'
import { Problem } from '../domain/problem.ts'
import type { UpstreamCredentials } from '../upstream/credentials.ts'
import type { Directory } from '../upstream/directory.ts'
import type { UpstreamRequest } from '../upstream/upstream.ts'
import type { Asked } from './describe.ts'
import type { Cut, Exchange } from './exchange.ts'
import { hasKeys } from './cut.ts'
import { compileForwardList, forwardableHeaders } from './headers.ts'
import { selfAnswer, type SelfParts } from './self.ts'

export type Enforce = (
  exchange: Exchange,
  principal: Principal,
  asked: Asked,
  decision: Decision,
) => OutcomeFields | Promise<OutcomeFields>

export type EnforceParts = SelfParts & {
  catalog: Catalog
  credentials: UpstreamCredentials
  directory: Directory
}

/** What will be done, as the decision record states it before it is done. */
export function enforcementOf(asked: Asked, decision: Decision): Enforcement {
  if (decision.outcome === 'deny') return 'reject'
  return asked.route.way === 'streaming' ? 'forward' : 'filter'
}

export function createEnforce(parts: EnforceParts): Enforce {
  const { catalog, credentials, directory } = parts
  const forwarded = compileForwardList(catalog.forwardHeaders)
  return (exchange, principal, asked, decision) => {
    if (decision.outcome === 'deny') {
      throw new Problem('forbidden', decision.tell === undefined ? {} : { says: decision.tell })
    }
    const { route, upstream } = asked
    if (route.kind.kind === 'self') {
      return selfAnswer(exchange, principal, route.kind.answer, parts)
    }
    const headers = forwardableHeaders(exchange.raw, forwarded)
    if (upstream.contentType === '') delete headers['content-type']
    else if (upstream.body !== undefined) headers['content-type'] = upstream.contentType
    const request: UpstreamRequest = {
      method: exchange.raw.method,
      target: upstream.target,
      headers,
      body: upstream.body,
      credential: credentials.for(asked.resource),
    }
    const cut: Cut = { answer: route.answer, obligations: decision.obligations }
    const send = () =>
      route.way === 'streaming'
        ? exchange.forward(request, upstream.guard, hasKeys(route.answer) ? cut : undefined)
        : exchange.filter(request, cut)
    return writes(exchange) ? forgetting(asked.requests, send) : send()
  }

  async function forgetting(
    requests: readonly AccessRequest[],
    send: () => Promise<OutcomeFields>,
  ): Promise<OutcomeFields> {
    for (const { resource } of requests) directory.forget(resource)
    try {
      return await send()
    } finally {
      // Once more: what was looked up while the write was under way may be from before it.
      for (const { resource } of requests) directory.forget(resource)
    }
  }
}

export function writes({ raw }: Exchange): boolean {
  return raw.method !== 'GET' && raw.method !== 'HEAD'
}
