/** Reads the target of a request to the admin port: one spelling for each, and whatever is ambiguous is refused. */

import { Problem } from '../../domain/problem.ts'

export type Target = {
  /** Decoded; none of `/`. */
  segments: readonly string[]
  query: ReadonlyMap<string, string>
}

const maxBytes = 8192
/** RFC 3986 §3.3 pchar without `;`. */
const pathSegment = /^(?:[A-Za-z0-9\-._~!$&'()*+,=:@]|%[0-9A-Fa-f]{2})+$/
/** RFC 3986 §3.4 without `;`. */
const queryPart = /^(?:[A-Za-z0-9\-._~!$'()*+,:@/?]|%[0-9A-Fa-f]{2})*$/
const queryKey = /^[A-Za-z0-9_]+$/
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const control = /[\u0000-\u001f\u007f]/
// oxlint-disable-next-line no-control-regex -- the same
const unfit = /[\u0000-\u001f\u007f\\/]/

/** @throws Problem `ambiguous_target` */
export function readTarget(raw: string): Target {
  if (raw.length > maxBytes) refuse('The request target is too long.')
  const mark = raw.indexOf('?')
  const path = mark === -1 ? raw : raw.slice(0, mark)
  if (!path.startsWith('/')) refuse('The request target must begin with a slash.')
  return {
    segments: path === '/' ? [] : path.slice(1).split('/').map(readSegment),
    query: mark === -1 ? new Map() : readQuery(raw.slice(mark + 1)),
  }
}

function readSegment(raw: string): string {
  if (!pathSegment.test(raw)) refuse('The path is not plainly written.')
  const segment = decode(raw)
  // What would mean another path, or no path at all, to somebody in between.
  if (unfit.test(segment) || /^\.{1,2}$/.test(segment) || /%[0-9A-Fa-f]{2}/.test(segment)) {
    refuse('The path is not plainly written.')
  }
  return segment
}

function readQuery(text: string): ReadonlyMap<string, string> {
  const query = new Map<string, string>()
  for (const part of text === '' ? [] : text.split('&')) {
    const sign = part.indexOf('=')
    const key = sign === -1 ? part : part.slice(0, sign)
    const value = sign === -1 ? '' : part.slice(sign + 1)
    if (!queryKey.test(key) || !queryPart.test(value)) refuse('The query is not plainly written.')
    if (query.has(key)) refuse('A query key appears twice.')
    const decoded = decode(value.replaceAll('+', '%20'))
    if (control.test(decoded)) refuse('The query is not plainly written.')
    query.set(key, decoded)
  }
  return query
}

function decode(raw: string): string {
  try {
    return decodeURIComponent(raw)
  } catch (cause) {
    throw new Problem('ambiguous_target', { says: 'The target is not UTF-8 once decoded.', cause })
  }
}

function refuse(says: string): never {
  throw new Problem('ambiguous_target', { says })
}
