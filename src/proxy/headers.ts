/** Which headers pass, in both directions: allow-lists, and what the gate adds itself. */

import { Problem } from '../domain/problem.ts'
import type { HttpOrigin } from '../lib/http-url.ts'
import type { RawRequest } from './exchange.ts'
import {
  addTokens,
  blot,
  isEventStream,
  ownLocation,
  tokenEndsHeader,
  upstreamRequestId,
  type AnswerHead,
} from './answer-head.ts'
import { passedHeaders } from './passed-headers.ts'

/** Never forwarded, whatever a catalog says: they frame, authenticate, route or select parts of an answer. */
const neverForwarded: ReadonlySet<string> = words(`
  authorization proxy-authorization proxy-authenticate proxy-connection cookie
  host connection keep-alive te trailer transfer-encoding content-length
  upgrade http2-settings expect range if-range accept-encoding content-encoding
  forwarded via max-forwards x-http-method-override x-http-method x-method-override
  x-original-url x-rewrite-url x-original-method x-request-id x-real-ip`)

/** A list may stand in several lines (RFC 9110 §5.3); anything else that comes twice is ambiguous. */
const mayRepeat: ReadonlySet<string> = words('accept accept-language')

/** More header lines than any client of an API sends; Node itself would drop what is over its own limit unseen. */
const maxHeaderLines = 256

export type ForwardList = ReadonlySet<string>

/** Compiles a catalog's `forwardHeaders`. `content-type` always belongs: bodies are decided by it. */
export function compileForwardList(names: readonly string[]): ForwardList {
  return new Set(
    ['content-type', ...names].filter(
      (name) =>
        /^[a-z0-9-]+$/.test(name) && !neverForwarded.has(name) && !name.startsWith('x-forwarded-'),
    ),
  )
}

/**
 * The client's headers that may go upstream, by lower-case name.
 * @throws Problem `invalid_request` where one of them is repeated.
 */
export function forwardableHeaders(raw: RawRequest, list: ForwardList): Record<string, string> {
  const { rawHeaders } = raw
  const headers: Record<string, string> = {}
  let named: ReadonlySet<string> | undefined
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase()
    const value = rawHeaders[i + 1] ?? ''
    if (name === 'connection') named = addTokens(named, value)
    if (!list.has(name)) continue
    const before = headers[name]
    if (before !== undefined && !mayRepeat.has(name)) {
      throw new Problem('invalid_request', { says: 'A header is repeated.' })
    }
    headers[name] = before === undefined ? value : `${before}, ${value}`
  }
  // RFC 9110 §7.6.1: what Connection names was meant for us alone.
  if (named !== undefined) {
    for (const name of named) if (name !== 'content-type') delete headers[name]
  }
  return headers
}

/** What nearly every `Connection` says; no header that passes is called so. */
const namesNothing: ReadonlySet<string> = words('keep-alive close')

/** What makes a request's head unfit before anything is decided: framing and routing headers that are not plain. */
export function headProblem({
  rawHeaders,
  httpVersion,
}: Pick<RawRequest, 'rawHeaders' | 'httpVersion'>): Problem | undefined {
  if (rawHeaders.length > maxHeaderLines * 2) return new Problem('headers_too_large')
  let hosts = 0
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    // Length first: this runs over every header of every request.
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1
    if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') {
      const coding = (rawHeaders[i + 1] ?? '').trim().toLowerCase()
      if (coding !== 'chunked') return new Problem('unsupported_coding')
      // RFC 9112 §6.1: HTTP/1.0 has no transfer codings; whoever stands between us may frame it otherwise.
      if (httpVersion === '1.0') return new Problem('invalid_request')
    }
  }
  return hosts > 1 ? new Problem('invalid_request', { says: 'More than one Host.' }) : undefined
}

export type AnswerHeaders = (head: AnswerHead) => string[]

const fixedNames = words(`
  content-type content-disposition retry-after
  ratelimit ratelimit-policy ratelimit-limit ratelimit-remaining ratelimit-reset`)

const neverReturned: ReadonlySet<string> = words(`
  set-cookie set-cookie2 server accept-ranges content-range link trailer connection
  keep-alive transfer-encoding upgrade te alt-svc proxy-connection
  authorization www-authenticate proxy-authenticate proxy-authentication-info
  content-length content-encoding etag last-modified location refresh
  cache-control expires pragma vary date clear-site-data
  x-request-id x-upstream-request-id x-accel-buffering x-token-expires`)

/**
 * Builds the head of every answer that came from upstream, as a flat name-value list without its length.
 * Everything not listed is dropped; all answers are private to the caller's token (H22).
 */
export function compileAnswerHeaders(
  returned: readonly string[],
  origin: HttpOrigin,
): AnswerHeaders {
  const extra = returned.filter((name) => !neverReturned.has(name) && !isCors(name))
  const names = [...new Set([...fixedNames, ...extra])]
  const common = [
    'access-control-allow-origin',
    '*',
    'access-control-expose-headers',
    [...names, ...oursExposed].join(', '),
    'vary',
    'Authorization',
    'x-request-id',
  ]

  return (head) => {
    const { status, headers, mode, requestId, credential, tokenEnds } = head
    if (mode === 'passed') return passedHeaders(head, origin)
    const list = common.slice()
    list.push(requestId)
    if (tokenEnds !== undefined) list.push(tokenEndsHeader, tokenEnds)
    const { connection } = headers
    const named =
      connection === undefined || namesNothing.has(connection)
        ? undefined
        : addTokens(undefined, connection)
    const put = (name: string, value: string | string[] | undefined) => {
      if (value === undefined || named?.has(name)) return
      list.push(name, blot(typeof value === 'string' ? value : value.join(', '), credential))
    }
    for (const name of names) put(name, headers[name])
    if (mode !== 'cut') {
      put('last-modified', headers['last-modified'])
      put('etag', headers.etag)
    }
    if (mode === 'stream') put('content-encoding', headers['content-encoding'])
    const location =
      status === 201 || status >= 300 ? ownLocation(headers.location, origin) : undefined
    put('location', location)
    const upstreamId = upstreamRequestId(headers)
    if (upstreamId !== undefined) put('x-upstream-request-id', upstreamId)
    if (isEventStream(headers)) list.push('cache-control', 'no-store', 'x-accel-buffering', 'no')
    else list.push('cache-control', 'private, no-store')
    return list
  }
}

const oursExposed = words(
  'x-request-id x-upstream-request-id x-token-expires location etag last-modified',
)

function isCors(name: string): boolean {
  return name.startsWith('access-control-')
}

/** Headers of every answer the gate makes itself. */
export function ownHeaders(requestId: string, tokenEnds?: string): string[] {
  const list = [...ownFixed, requestId]
  if (tokenEnds !== undefined) list.push(tokenEndsHeader, tokenEnds)
  return list
}

const ownFixed = [
  'content-type',
  'application/json; charset=utf-8',
  'access-control-allow-origin',
  '*',
  'access-control-expose-headers',
  'x-request-id, retry-after, x-token-expires',
  'vary',
  'Authorization',
  'cache-control',
  'no-store',
  'x-request-id',
]

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/))
}
