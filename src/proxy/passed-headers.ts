/** The head of an observed answer: as the cloud sent it, but for what belongs to one connection and what names requests. */

import type { HttpOrigin } from '../lib/http-url.ts'
import {
  addTokens,
  blot,
  ownLocation,
  tokenEndsHeader,
  upstreamRequestId,
  type AnswerHead,
} from './answer-head.ts'

/** RFC 9110 §7.6.1, what frames (the sender says its own length), and what would lead clients around the gate. */
const neverPassed: ReadonlySet<string> = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding'],
  ...['upgrade', 'proxy-authenticate', 'proxy-authentication-info', 'content-length'],
  // No cookie goes up, so none that comes down is of any use; and it may be of a session of the gate's own.
  ...['set-cookie', 'set-cookie2', 'alt-svc', 'location'],
  ...['x-request-id', 'x-upstream-request-id', tokenEndsHeader],
])

/** A flat name-value list without the answer's length. */
export function passedHeaders(head: AnswerHead, origin: HttpOrigin): string[] {
  const { headers, requestId, credential, tokenEnds } = head
  const named = addTokens(undefined, headers.connection ?? '')
  const list = ['x-request-id', requestId]
  if (tokenEnds !== undefined) list.push(tokenEndsHeader, tokenEnds)
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || neverPassed.has(name) || named.has(name)) continue
    list.push(name, blot(typeof value === 'string' ? value : value.join(', '), credential))
  }
  // Preflights are answered by the gate; an answer that then lacked this would be lost on browsers.
  if (headers['access-control-allow-origin'] === undefined) {
    list.push('access-control-allow-origin', '*')
  }
  const { location } = headers
  if (location !== undefined) {
    list.push('location', blot(ownLocation(location, origin) ?? location, credential))
  }
  const upstreamId = upstreamRequestId(headers)
  if (upstreamId !== undefined) list.push('x-upstream-request-id', blot(upstreamId, credential))
  return list
}
