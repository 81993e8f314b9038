/** The one canonicaliser of request targets: what is ambiguous is refused, never repaired. */

import type { CanonicalTarget, QueryEntry } from '../domain/target.ts'
import { Problem } from '../domain/problem.ts'

const MAX_TARGET_BYTES = 8192
const MAX_SEGMENTS = 32
const MAX_QUERY_KEYS = 100

/** RFC 3986 §3.3 pchar without `;`: path parameters mean different things to different servers. */
const PATH_SEGMENT = /^(?:[A-Za-z0-9\-._~!$&'()*+,=:@]|%[0-9A-Fa-f]{2})+$/
/** RFC 3986 §3.4 without `;`, which some servers read as `&`. Brackets are seen in the wild unencoded. */
const QUERY_PART = /^(?:[A-Za-z0-9\-._~!$'()*+,:@/?[\]]|%[0-9A-Fa-f]{2})*$/
/** RFC 3986 §2.3: needs no encoding anywhere. */
const UNRESERVED = /^[\w.~-]+$/
/** A decoded value that would decode once more. */
const STILL_ENCODED = /%[0-9A-Fa-f]{2}/
/** Some servers cut a path parameter or white space off before they look for dots. */
const DOTS = /^\.{1,2}(?:[;\s]|$)/
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f\\]/

/**
 * Origin-form target (RFC 9112 §3.2.1) to decoded segments and query entries.
 * @throws Problem `ambiguous_target`
 */
export function canonicalTarget(raw: string): CanonicalTarget {
  if (raw.length > MAX_TARGET_BYTES) refuse('The request target is too long.')
  if (!raw.startsWith('/')) refuse('The request target must begin with a slash.')
  if (raw.includes('#')) refuse('The request target holds a fragment.')
  const mark = raw.indexOf('?')
  const path = mark === -1 ? raw : raw.slice(0, mark)
  const query = mark === -1 ? '' : raw.slice(mark + 1)
  return { segments: readPath(path), query: query === '' ? [] : readQuery(query) }
}

/** `%2F` in a parameter stays one segment; everything a URL cannot hold plainly is encoded again. */
export function encodeSegment(segment: string): string {
  return UNRESERVED.test(segment) ? segment : encodeURIComponent(segment)
}

export function encodeQuery(entries: readonly QueryEntry[]): string {
  if (entries.length === 0) return ''
  return `?${entries.map(({ key, value }) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`).join('&')}`
}

function readPath(path: string): string[] {
  if (path === '/') return []
  const trimmed = path.length > 1 && path.endsWith('/') ? path.slice(1, -1) : path.slice(1)
  const raw = trimmed.split('/')
  if (raw.length > MAX_SEGMENTS) refuse('The path has too many segments.')
  return raw.map(readSegment)
}

function readSegment(raw: string): string {
  if (!PATH_SEGMENT.test(raw)) {
    refuse(
      raw === '' ? 'The path holds an empty segment.' : 'The path holds a character it may not.',
    )
  }
  const segment = raw.includes('%') ? decode(raw) : raw
  // `..` may hide beside an encoded slash.
  for (const part of segment.includes('/') ? segment.split('/') : [segment]) {
    if (DOTS.test(part)) refuse('The path holds a dot segment.')
  }
  return segment
}

function readQuery(query: string): QueryEntry[] {
  const parts = query.split('&')
  if (parts.length > MAX_QUERY_KEYS) refuse('The query has too many parameters.')
  const seen = new Set<string>()
  return parts.map((part) => {
    if (!QUERY_PART.test(part.replace('=', ''))) refuse('The query holds a character it may not.')
    const sign = part.indexOf('=')
    const key = decode(plus(sign === -1 ? part : part.slice(0, sign)))
    const value = decode(plus(sign === -1 ? '' : part.slice(sign + 1)))
    if (!/^[A-Za-z0-9_.-]+$/.test(key)) refuse('The query holds a malformed key.')
    if (seen.has(key)) refuse('A query key appears twice.')
    seen.add(key)
    return { key, value }
  })
}

function plus(part: string): string {
  return part.includes('+') ? part.replaceAll('+', '%20') : part
}

function decode(raw: string): string {
  if (!raw.includes('%')) return raw
  let decoded: string
  try {
    decoded = decodeURIComponent(raw)
  } catch (cause) {
    throw new Problem('ambiguous_target', { says: 'The target is not UTF-8 once decoded.', cause })
  }
  if (CONTROL.test(decoded)) refuse('The target holds a control character or a backslash.')
  if (STILL_ENCODED.test(decoded)) refuse('The target is encoded twice.')
  return decoded
}

function refuse(says: string): never {
  throw new Problem('ambiguous_target', { says })
}
