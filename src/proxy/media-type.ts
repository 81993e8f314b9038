/** A request's content type, read so strictly that no other reader can understand it otherwise. */

import { Problem } from '../domain/problem.ts'
import { valuesOf } from './credentials.ts'
import type { RawRequest } from './exchange.ts'

export type MediaType = {
  /** Lower case, without parameters; empty where there is no header. */
  essence: string
  /** Of `multipart/form-data`. */
  boundary: string | undefined
}

export const FORM = 'application/x-www-form-urlencoded'

/** RFC 9110 §8.3.1, without escapes in quoted strings. */
const MEDIA_TYPE = /^\s*([\w.+-]+\/[\w.+-]+)\s*((?:;\s*[\w-]+=(?:"[^"\\]*"|[^\s";]+)\s*)*);?\s*$/
const PARAMETER = /([\w-]+)=("[^"]*"|[^\s";]+)/g

/** A boundary takes at most 70; the pattern takes the square of a header's length in the worst case. */
const LONGEST_HEADER = 512

/** @throws Problem `invalid_body` where something is said twice, `unsupported_media_type` otherwise */
export function mediaTypeOf({ rawHeaders }: RawRequest): MediaType {
  const headers = valuesOf(rawHeaders, 'content-type')
  if (headers.length > 1) throw repeated('More than one content type.')
  const [header = ''] = headers
  if (header === '') return { essence: '', boundary: undefined }
  const parsed = header.length > LONGEST_HEADER ? null : MEDIA_TYPE.exec(header)
  if (parsed === null) throw new Problem('unsupported_media_type')
  const parameters = new Map<string, string>()
  for (const [, name = '', value = ''] of (parsed[2] ?? '').matchAll(PARAMETER)) {
    const key = name.toLowerCase()
    if (parameters.has(key)) throw repeated('A content type parameter appears twice.')
    parameters.set(key, value.replaceAll('"', ''))
  }
  if (!/^utf-?8$/i.test(parameters.get('charset') ?? 'utf-8')) {
    throw new Problem('unsupported_media_type', { says: 'Bodies must be UTF-8.' })
  }
  return { essence: (parsed[1] ?? '').toLowerCase(), boundary: parameters.get('boundary') }
}

export function isJson(essence: string): boolean {
  return essence === 'application/json' || /^application\/[\w.-]+\+json$/.test(essence)
}

function repeated(says: string): Problem {
  return new Problem('invalid_body', { says })
}
