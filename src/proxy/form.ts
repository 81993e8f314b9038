/** Strict `application/x-www-form-urlencoded` (WHATWG URL §5.1): what two parsers could read differently is refused. */

import { Problem } from '../domain/problem.ts'
import type { QueryEntry } from '../domain/target.ts'

const MAX_KEYS = 200

/**
 * Entries in order; keys may repeat here, the caller says where a list is taken.
 * @throws Problem `invalid_body`
 */
export function readForm(body: Buffer): QueryEntry[] {
  const text = body.toString('latin1')
  if (text === '') return []
  if (!/^[\x21-\x7e]*$/.test(text)) refuse('The form holds a character that must be encoded.')
  if (text.includes(';')) refuse('The form holds a semicolon that must be encoded.')
  // One more than is taken tells that there are too many, and no list of a million is made of them.
  const parts = spaced(body).split('&', MAX_KEYS + 1)
  if (parts.length > MAX_KEYS) refuse('The form has too many fields.')
  return parts.map((part) => {
    const sign = part.indexOf('=')
    const key = decode(sign === -1 ? part : part.slice(0, sign))
    if (key === '' || key === '__proto__') refuse('The form holds a field without a usable name.')
    return { key, value: decode(sign === -1 ? '' : part.slice(sign + 1)) }
  })
}

const PLUS = 0x2b
const SPACE = 0x20

/** With each `+` as the space that it stands for: in a string a million of them take a while to replace. */
function spaced(body: Buffer): string {
  const bytes = Buffer.from(body)
  for (let at = 0; at < bytes.length; at += 1) if (bytes[at] === PLUS) bytes[at] = SPACE
  return bytes.toString('latin1')
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch (cause) {
    throw new Problem('invalid_body', { says: 'The form is not UTF-8 once decoded.', cause })
  }
}

function refuse(says: string): never {
  throw new Problem('invalid_body', { says })
}
