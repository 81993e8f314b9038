/** Carries out a decision: forward, filter, cut a list, open a stream, answer, or throw the refusal. */

import type { OutcomeFields, StreamCount } from '../audit/audit-log.ts'
import type { RequestContext, Resource } from '../domain/access-request.ts'
import type { Catalog } from '../domain/catalog.ts'
import type { Decision, Enforcement } from '../domain/decision.ts'
import type { Principal } from '../domain/principal.ts'
import { Problem } from '../domain/problem.ts'
import type { UpstreamCredentials } from '../upstream/credentials.ts'
import type { Directory } from '../upstream/directory.ts'
import type { FleetLists } from '../upstream/fleet-lists.ts'
import type { UpstreamRequest } from '../upstream/upstream.ts'
import type { Asked } from './describe.ts'
import type { Cut, Exchange } from './exchange.ts'
import { hasKeys } from './cut.ts'
import { compileForwardList, forwardableHeaders } from './headers.ts'
import type { Lists } from './lists/lists.ts'
import { selfAnswer, type SelfParts } from './self.ts'
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
  /** A record of what an open stream has carried so far. */
  progress: (count: StreamCount) => void
}

export type Enforce = (
  exchange: Exchange,
  principal: Principal,
  asked: Asked,
  decision: Decision,
  record: { context: RequestContext; progress(count: StreamCount): void },
) => OutcomeFields | Promise<OutcomeFields>

export type EnforceParts = SelfParts & {
  catalog: Catalog
  credentials: UpstreamCredentials
  directory: Directory
  fleetLists: FleetLists
  lists: Lists
  streams: Streams
}

/** What will be done, as the decision record states it before it is done. */
export function enforcementOf({ route }: Asked, decision: Decision): Enforcement {
  if (decision.outcome === 'deny') return 'reject'
  return route.way === 'streaming' && route.answer.kind !== 'stream' ? 'forward' : 'filter'
}

export function createEnforce(parts: EnforceParts): Enforce {
  const { catalog, credentials, lists, streams } = parts
  const forwarded = compileForwardList(catalog.forwardHeaders)
  return (exchange, principal, asked, decision, record) => {
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
    const { context } = record
    const progress = (count: StreamCount) => record.progress(count)
    const served: Served = { exchange, principal, asked, decision, context, request, progress }
    if (route.answer.kind === 'stream') return streams.serve(served)
    if (lists.isCut(served)) return lists.serve(served)
    const cut: Cut = { answer: route.answer, obligations: decision.obligations }
    const send = () =>
      route.way === 'streaming'
        ? exchange.forward(request, upstream.guard, hasKeys(route.answer) ? cut : undefined)
        : exchange.filter(request, cut)
    return writes(exchange) ? forgetting(asked, parts, send) : send()
  }
}

/** What is written may be read by the next decision: what is in memory of it is not believed any more. */
async function forgetting(
  { requests, upstream }: Asked,
  { catalog, directory, fleetLists }: Pick<EnforceParts, 'catalog' | 'directory' | 'fleetLists'>,
  send: () => Promise<OutcomeFields>,
): Promise<OutcomeFields> {
  const [path = ''] = upstream.target.split('?', 1)
  const touched = requests.flatMap(({ action, resource }): Touched[] => {
    const { changes, writes: written = [] } = catalog.actions.get(action) ?? {}
    if (changes === 'nothing') return []
    if (resource.type === 'device') return [{ resource, reach: 'device' }]
    // To rename a group changes every device in it.
    return [{ resource, reach: written.length > 0 ? 'place' : 'path' }]
  })
  const all = touched.length > MANY ? placesOf(touched) : touched
  const forget = () => {
    for (const { resource, reach } of all) {
      if (reach !== 'path') directory.forget(resource)
      fleetLists.touched(resource, path, reach)
    }
  }
  forget()
  try {
    return await send()
  } finally {
    // Once more: what was looked up while the write was under way may be from before it.
    forget()
  }
}

type Touched = { resource: Resource; reach: Parameters<FleetLists['touched']>[2] }

/** Writes on more devices at once are noted as one on their place: what is remembered of writes is bounded. */
const MANY = 50

function placesOf(touched: readonly Touched[]): Touched[] {
  const places = new Map<string, Touched>()
  for (const { resource, reach } of touched) {
    const { device, ...place } = resource
    if (device === undefined || place.product === undefined) {
      places.set(JSON.stringify([resource, reach]), { resource, reach })
    } else {
      places.set(place.product, { resource: { ...place, type: 'product' }, reach: 'place' })
    }
  }
  return [...places.values()]
}

export function writes({ raw }: Exchange): boolean {
  return raw.method !== 'GET' && raw.method !== 'HEAD'
}
