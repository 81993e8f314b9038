/** Typed values from text that people or the wire wrote: one strict spelling each, everything else is no value. */

import type { AttributeType } from '../domain/catalog.ts'
import type { Scalar } from '../domain/grant.ts'

/** No exponent, no hex, no leading zero, no sign but a minus: what every parser reads the same. */
const DECIMAL = /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?$/
const DATE = /^\d{4}-\d\d-\d\d$/
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/

export function toDecimal(text: string): number | undefined {
  return DECIMAL.test(text) ? Number(text) : undefined
}

/** Milliseconds since the epoch of an ISO 8601 date (00:00 UTC) or time with a zone. */
export function toTimeMs(text: string): number | undefined {
  if (DATE.test(text)) return toDateMs(text)
  if (!TIME.test(text) || toDateMs(text.slice(0, 10)) === undefined) return undefined
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? undefined : ms
}

/** 00:00 UTC of a date that exists: the 30th of February is no date. */
export function toDateMs(text: string): number | undefined {
  const ms = Date.parse(`${text}T00:00:00.000Z`)
  if (Number.isNaN(ms)) return undefined
  return new Date(ms).toISOString().startsWith(text) ? ms : undefined
}

/** Text from a policy file as a value of this type; `undefined` where it is none. */
export function toScalar(text: string, type: AttributeType): Scalar | undefined {
  switch (type) {
    case 'string':
    case 'strings':
      return text
    case 'number':
      return toDecimal(text)
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : undefined
    case 'time':
      return toTimeMs(text) === undefined ? undefined : text
  }
}

export const TYPE_SAYS: Readonly<Record<AttributeType, string>> = {
  string: 'a text',
  strings: 'a text',
  number: 'a plain decimal number',
  boolean: 'true or false',
  time: 'a date or a time such as 2026-11-22T10:00:00Z',
}
