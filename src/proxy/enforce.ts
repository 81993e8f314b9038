/** Carries out a decision: forward, filter, cut a list, open a stream, answer, or throw the refusal. */

import type { OutcomeFields, StreamCount } from '../audit/audit-log.ts'
import type { RequestContext } from '../domain/access-request.ts'
import type { Catalog, Route } from '../domain/catalog.ts'
import type { Decision, Enforcement } from '../domain/decision.ts'
import type { Principal } from '../domain/principal.ts'
import { Problem } from '../domain/problem.ts'
import type { UpstreamCredentials } from '../upstream/credentials.ts'
import type { Directory } from '../upstream/directory.ts'
import type { Quota } from '../upstream/quota.ts'
import type { FleetLists } from '../upstream/fleet-lists.ts'
import type { Behalf, UpstreamRequest } from '../upstream/upstream.ts'
import type { Asked } from './describe.ts'
import { counted } from './counted.ts'
import type { Cut, Exchange } from './exchange.ts'
import { hasKeys } from './cut.ts'
import { forgetting } from './forgetting.ts'
import { compileForwardList, forwardableHeaders } from './headers.ts'
import type { Lists } from './lists/lists.ts'
import { selfAnswer, type SelfParts } from './self.ts'
import type { StandingOf } from './standing.ts'
import { refuseMisplaced } from './own-tokens.ts'
import type { Streams } from './streams/streams.ts'

/** The circumstances under which a decision is carried out. */
export type Served = {
  exchange: Exchange
  principal: Principal
  asked: Asked
  decision: Extract<Decision, { outcome: 'allow' }>
  context: RequestContext
  /** What would be sent on as it is. */
  request: UpstreamRequest
  behalf: Behalf
  /** A record of what an open stream has carried so far. */
  progress: (count: StreamCount) => void
}

export type Enforce = (
  exchange: Exchange,
  principal: Principal,
  asked: Asked,
  decision: Decision,
  record: { context: RequestContext; revision: string; progress(count: StreamCount): void },
) => OutcomeFields | Promise<OutcomeFields>

export type EnforceParts = SelfParts & {
  catalog: Catalog
  credentials: UpstreamCredentials
  directory: Directory
  fleetLists: FleetLists
  lists: Lists
  streams: Streams
  quota: Pick<Quota, 'take' | 'refused'>
  standingOf: StandingOf
  /** Before it is counted as a call. @throws Problem where this one has had its part of what all share */
  assertRoom: (user: string, way: Route['way'] | 'list') => void
}

/** What will be done, as the decision record states it before it is done. */
export function enforcementOf({ route }: Asked, decision: Decision): Enforcement {
  if (decision.outcome === 'deny') return 'reject'
  return route.way === 'streaming' && route.answer.kind !== 'stream' ? 'forward' : 'filter'
}

export function createEnforce(parts: EnforceParts): Enforce {
  const { catalog, credentials, lists, streams, quota, standingOf, assertRoom } = parts
  const forwarded = compileForwardList(catalog.forwardHeaders)
  return (exchange, principal, asked, decision, record) => {
    if (decision.outcome === 'deny') {
      throw refusalOf(decision)
    }
    const { route, upstream } = asked
    if (route.kind.kind === 'self') {
      return selfAnswer(exchange, principal, route.kind.answer, parts)
    }
    const headers = forwardableHeaders(exchange.raw, forwarded)
    for (const name in headers) refuseMisplaced(headers[name] ?? '')
    if (upstream.contentType === '') delete headers['content-type']
    else if (upstream.body !== undefined) headers['content-type'] = upstream.contentType
    const request: UpstreamRequest = {
      method: exchange.raw.method,
      target: upstream.target,
      headers,
      body: upstream.body,
      credential: credentials.for(asked.resource),
    }
    // What was used up when it was decided shows nothing in the items either.
    const { spent } = decision
    const context = spent === undefined ? record.context : { ...record.context, spent }
    const progress = (count: StreamCount) => record.progress(count)
    const behalf = standingOf(principal, asked, decision, context, record.revision)
    const served: Served = {
      ...{ exchange, principal, asked, decision, context, request, behalf, progress },
    }
    if (route.answer.kind === 'stream') return streams.serve(served)
    if (lists.isCut(served)) {
      assertRoom(principal.user, 'list')
      return lists.serve(served)
    }
    assertRoom(principal.user, route.way)
    const cut: Cut = { answer: route.answer, obligations: decision.obligations }
    const keys = hasKeys(route.answer) ? cut : undefined
    const call = () =>
      route.way === 'streaming'
        ? exchange.forward(request, upstream.guard, keys, behalf)
        : exchange.filter(request, cut, behalf)
    const send = () => counted(quota, principal.user, call)
    if (!writes(exchange)) return send()
    return forgetting(parts, asked.requests, upstream.target, send)
  }
}

/** Where an API user may call from is nobody's business who calls from elsewhere. */
export function refusalOf({
  reason,
  tell,
  retryAfterS,
}: Extract<Decision, { outcome: 'deny' }>): Problem {
  const says = tell === undefined ? {} : { says: tell }
  switch (reason) {
    case 'outside_addresses':
      return new Problem('outside_addresses')
    case 'over_limit':
      return new Problem('over_limit', {
        ...says,
        ...(retryAfterS !== undefined && { retryAfterS }),
      })
    case 'unmapped_route':
    case 'outside_boundary':
    case 'outside_devices':
    case 'not_granted':
    case 'forbidden':
    case 'not_in_issued_grant':
    case 'outside_hours':
    case 'hidden_key':
    case 'cannot_filter':
      return new Problem('forbidden', says)
  }
}

export function writes({ raw }: Exchange): boolean {
  return raw.method !== 'GET' && raw.method !== 'HEAD'
}
