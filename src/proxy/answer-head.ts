/** The head of an answer on its way to the client: what it is made from, and how single values of it are read. */

import type { IncomingHttpHeaders } from 'node:http'
import { retryAfterOf } from '../upstream/answer-head.ts'
import type { HttpOrigin } from '../lib/http-url.ts'

/** How much of an answer reaches the client: all of it, all of it as it arrives, or a part. `passed`: as the cloud sent it, head too. */
export type AnswerMode = 'whole' | 'stream' | 'cut' | 'passed'

export type AnswerHead = {
  status: number
  headers: IncomingHttpHeaders
  mode: AnswerMode
  requestId: string
  /** The gate's credential in plain: it is blotted out wherever it appears. Empty: it was not used. */
  credential: string
  /** When the caller's token ends, where that is soon: ISO 8601. */
  tokenEnds?: string | undefined
}

/** When the caller's token ends. */
export const tokenEndsHeader = 'x-token-expires'

/** Names in a list such as `Connection`, added to those known. */
export function addTokens(
  known: ReadonlySet<string> | undefined,
  value: string,
): ReadonlySet<string> {
  const tokens = value.split(',').map((token) => token.trim().toLowerCase())
  return new Set([...(known ?? []), ...tokens])
}

export function blot(value: string, credential: string): string {
  if (credential === '' || !value.includes(credential)) return value
  return value.replaceAll(credential, '*'.repeat(credential.length))
}

export function isEventStream(headers: IncomingHttpHeaders): boolean {
  const type = headers['content-type']?.trimStart().toLowerCase()
  return type?.startsWith('text/event-stream') ?? false
}

/** Plain token characters of the cloud's own request id, at most 128: it is written to our log too. */
export function upstreamRequestId(headers: IncomingHttpHeaders): string | undefined {
  const value = headers['x-request-id']
  if (typeof value !== 'string') return undefined
  const clean = value.replaceAll(/[^\w.:-]/g, '').slice(0, 128)
  return clean === '' ? undefined : clean
}

/** What is known of the cloud's side of an exchange. */
export type UpstreamFacts = {
  status: number | undefined
  requestId: string | undefined
  /** What the cloud said, whole seconds. */
  retryAfterS?: number | undefined
}

export function noteAnswer(
  facts: UpstreamFacts,
  status: number,
  headers: IncomingHttpHeaders,
): void {
  facts.status = status
  facts.requestId = upstreamRequestId(headers)
  facts.retryAfterS = retryAfterOf(headers)
}

/** A redirect within the upstream as a path of ours; anywhere else is nobody's business (F16). */
export function ownLocation(
  location: string | undefined,
  { origin, basePath }: HttpOrigin,
): string | undefined {
  // Backslashes, control characters and spaces are read differently by different clients.
  if (location === undefined || !/^[\x21-\x5b\x5d-\x7e]+$/.test(location)) return undefined
  if (!URL.canParse(location, `${origin}/`)) return undefined
  const absolute = /^https?:\/\//i.test(location)
  if (!absolute && !/^\/(?!\/)/.test(location)) return undefined
  const url = new URL(location, `${origin}/`)
  if (url.origin !== origin || url.username !== '' || url.password !== '') return undefined
  if (url.pathname !== basePath && !url.pathname.startsWith(`${basePath}/`)) return undefined
  const path = url.pathname.slice(basePath.length)
  // `//host` after the prefix is cut off would lead elsewhere.
  return path.startsWith('/') && !path.startsWith('//') ? path + url.search + url.hash : undefined
}
