/** What a record says: each kind as the inside of one JSON object, without the head that the stream puts before it. */

import { hash } from 'node:crypto'
import { clip, escapeUnruly, pathOnly, quote, withoutValues } from './text.ts'
import type { AccessRequest } from '../domain/access-request.ts'
import type { RuleRef } from '../domain/decision.ts'
import type {
  DecisionFields,
  Envelope,
  Observed,
  OutcomeFields,
  RejectFields,
  StreamCount,
} from './audit-log.ts'

/** `,"at":…,"kind":…` and so on: what follows the head and precedes the closing brace. */
export type RecordBody = string

const maxAgent = 200
const maxTarget = 512
const maxPath = 200
const maxName = 128
const maxFacts = 16_384

/** `at` is an ISO time, here and below. */
export function decisionBody(
  at: string,
  envelope: Envelope,
  fields: DecisionFields,
  who: string = whoOf(fields),
): RecordBody {
  const { result, observed } = fields
  let body = begin(at, 'decision', envelope.requestId)
  const would = observed !== undefined && result.outcome === 'deny'
  body += `,"decision":"${would ? 'would_deny' : result.outcome}"`
  if (result.outcome === 'deny') body += text('reason', result.reason)
  body += who + text('route', fields.route)
  body += text('target', clip(withoutValues(fields.target), maxTarget))
  body += `,"target_hash":"${targetHash(envelope.rawTarget)}"`
  body += resources(fields.requests)
  if ('facts' in result) {
    if ('failed' in result) {
      body += text('failed_action', result.failed.action)
      body += text('failed_resource', clip(result.failed.resource, maxName))
    }
    body += rule(result.rule) + facts(result.facts)
  }
  body += `,"enforcement":"${fields.enforcement}"${observation(observed)}`
  return body + caller(envelope)
}

function observation(observed: Observed | undefined): string {
  if (observed === undefined) return ''
  const { untilMs, fingerprint, would } = observed
  const until = `,"observed_until":"${new Date(untilMs).toISOString()}"`
  return until + text('would', would) + text('fingerprint', fingerprint)
}

export type WhoFields = Pick<
  DecisionFields,
  'user' | 'tokenId' | 'revision' | 'grant' | 'issuedGrant'
>

/** The part of a decision record that is the same for all requests of one token under one revision. */
export function whoOf(fields: WhoFields): string {
  return (
    text('user', fields.user) +
    text('token_id', fields.tokenId) +
    text('revision', fields.revision) +
    text('grant', fields.grant) +
    text('issued_grant', fields.issuedGrant)
  )
}

export function outcomeBody(
  at: string,
  requestId: string,
  fields: OutcomeFields,
  durationMs: number,
): RecordBody {
  return (
    begin(at, 'outcome', requestId) +
    `,"status":${whole(fields.status)}` +
    (fields.upstreamStatus === undefined
      ? ''
      : `,"upstream_status":${whole(fields.upstreamStatus)}`) +
    (fields.upstreamRequestId === undefined
      ? ''
      : text('upstream_request_id', clip(fields.upstreamRequestId, maxName))) +
    (fields.retryAfterS === undefined ? '' : `,"retry_after_s":${whole(fields.retryAfterS)}`) +
    `,"bytes":${whole(fields.bytes)},"duration_ms":${Math.round(durationMs * 1_000) / 1_000}` +
    text('ended', fields.ended) +
    list(fields.list) +
    (fields.events === undefined ? '' : `,"events":{${counts(fields.events)}}`)
  )
}

/** What an open stream has carried by now. */
export function progressBody(at: string, requestId: string, count: StreamCount): RecordBody {
  return `${begin(at, 'progress', requestId)},${counts(count)}`
}

function counts({ sent, withheld, tooLarge }: StreamCount): string {
  const lost = tooLarge === undefined ? '' : `,"too_large":${whole(tooLarge)}`
  return `"sent":${whole(sent)},"withheld":${whole(withheld)}${lost}`
}

function list(cut: OutcomeFields['list']): string {
  if (cut === undefined) return ''
  const { way, total, ageMs } = cut
  return `,"list":{"way":"${way}","total":${whole(total)},"age_ms":${Math.round(whole(ageMs))}}`
}

export function rejectBody(fields: RejectFields): RecordBody {
  return (
    begin(new Date(fields.atMs).toISOString(), 'reject', fields.requestId) +
    text('reason', fields.reason) +
    `,"status":${whole(fields.status)}` +
    text('port', fields.port) +
    text('by', fields.by === undefined ? undefined : clip(fields.by, maxName)) +
    text('token_id', fields.tokenId) +
    text('path', clip(pathOnly(fields.rawTarget), maxPath)) +
    `,"target_hash":"${targetHash(fields.rawTarget)}"` +
    caller(fields)
  )
}

/** `address` absent: rows of many addresses, or beyond the byte budget. */
export function summaryBody(at: string, summarised: number, address?: string): RecordBody {
  const who = address === undefined ? '' : text('address', clip(address, maxName))
  return `${begin(at, 'summary', undefined)}${who},"summarised":${whole(summarised)}`
}

/** Data of an event is nested, so that no key of it can pass for one of the record's own. */
export function eventBody(
  at: string,
  name: string,
  data: Readonly<Record<string, unknown>>,
): RecordBody {
  return `${begin(at, 'event', undefined)}${text('event', clip(name, maxName))},"data":${eventData(data)}`
}

function eventData(data: Readonly<Record<string, unknown>>): string {
  try {
    return escapeUnruly(JSON.stringify(data))
  } catch {
    // An event is a record of something that has happened; it is kept although its details cannot be.
    return '{"unserialisable":true}'
  }
}

export function begin(at: string, kind: string, requestId: string | undefined): RecordBody {
  return `,"at":"${at}","kind":"${kind}"${text('request_id', requestId)}`
}

function caller(envelope: Pick<Envelope, 'address' | 'method' | 'agent'>): string {
  return (
    text('address', clip(envelope.address, maxName)) +
    text('method', clip(envelope.method, maxName)) +
    (envelope.agent === undefined ? '' : text('agent', clip(envelope.agent, maxAgent)))
  )
}

/** Actions, ids and names of fields, each once; never a value. */
function resources(requests: readonly AccessRequest[]): string {
  const actions = new Names()
  const ids = new Names()
  const products = new Names()
  const fields = new Names()
  for (const { action, resource, fields: words } of requests) {
    const { type, product } = resource
    actions.add(action)
    ids.add(`${type}:${type === 'none' ? '' : (resource[type] ?? '')}`)
    if (product !== undefined) products.add(product)
    for (const [word, names] of Object.entries(words)) {
      for (const name of names) fields.add(`${word}:${clip(name, maxName)}`)
    }
  }
  return actions.as('actions') + ids.as('resources') + products.as('products') + fields.as('fields')
}

/** A list without repetitions; nearly always of one, so the set is only made for the second. */
class Names {
  #first: string | undefined
  #all: Set<string> | undefined

  add(name: string): void {
    this.#first ??= name
    if (this.#all === undefined && this.#first !== name) this.#all = new Set([this.#first])
    this.#all?.add(name)
  }

  as(key: string): string {
    if (this.#first === undefined) return ''
    if (this.#all === undefined) return `,"${key}":[${quote(this.#first)}]`
    return `,"${key}":[${Array.from(this.#all, quote).join(',')}]`
  }
}

function rule(ref: RuleRef | undefined): string {
  if (ref === undefined) return ''
  return `,"rule":{"file":${quote(ref.file)},"line":${whole(ref.line)}${text('id', ref.id)}}`
}

function facts(used: Readonly<Record<string, unknown>>): string {
  let json: string | undefined
  for (const _ in used) {
    json = escapeUnruly(JSON.stringify(used))
    break
  }
  if (json === undefined) return ''
  return json.length <= maxFacts ? `,"facts":${json}` : `,"facts":{},"facts_bytes":${json.length}`
}

export function text(key: string, value: string | undefined): string {
  return value === undefined ? '' : `,"${key}":${quote(value)}`
}

/** JSON has no NaN; a number that is none must not break the line. */
function whole(value: number): number {
  return Number.isFinite(value) ? value : -1
}

function targetHash(rawTarget: string): string {
  return hash('sha256', rawTarget).slice(0, 16)
}
