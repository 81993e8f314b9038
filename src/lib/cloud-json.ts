/** JSON as clouds answer it: read without changing a number, and walked without being fooled by odd keys. */

import { isAscii, isUtf8 } from 'node:buffer'

// Source text of numbers (ECMAScript 2026) is not in the compiler's library yet.
declare global {
  interface JSON {
    rawJSON(text: string): object
    isRawJSON(value: unknown): boolean
    parse(text: string, reviver: NumberKeeper): unknown
  }
}
type NumberKeeper = (key: string, value: unknown, context: { source?: string }) => unknown

export type JsonObject = { [key: string]: unknown }

/** What the answer is not; for the log. */
export class CloudJsonFault extends Error {
  override readonly name = 'CloudJsonFault'
}

/**
 * Parses a whole answer.
 * @throws CloudJsonFault where it is not labelled as JSON, not plain UTF-8, or does not parse
 */
export function parseCloudJson(contentType: string | undefined, body: Buffer): unknown {
  // What is ASCII is the same in both, and quicker to read as Latin-1.
  const encoding = checkCloudJson(contentType, body) === 'ASCII' ? 'latin1' : 'utf8'
  return parse(hasBigNumber(body), () => body.toString(encoding))
}

/** Says what the answer is written in. @throws CloudJsonFault where it is not labelled as JSON or not plain UTF-8 */
export function checkCloudJson(contentType: string | undefined, body: Buffer): 'ASCII' | 'UTF-8' {
  if (!isJsonType(contentType)) throw new CloudJsonFault('the answer is not JSON')
  if (isAscii(body)) return 'ASCII'
  if (!isUtf8(body) || (body[0] === 0xef && body[1] === 0xbb)) {
    throw new CloudJsonFault('the answer is not plain UTF-8')
  }
  return 'UTF-8'
}

/** The same for text in hand. @throws CloudJsonFault */
export function parseCloudText(text: string): unknown {
  return parse(text.length >= digitsAtRisk && hasBigNumber(Buffer.from(text)), () => text)
}

function parse(holdsBigNumber: boolean, text: () => string): unknown {
  try {
    return holdsBigNumber ? JSON.parse(text(), keepNumber) : JSON.parse(text())
  } catch (cause) {
    throw new CloudJsonFault('the answer does not parse', { cause })
  }
}

/** `application/json` or `application/…+json`; a charset, if said, is UTF-8. */
function isJsonType(contentType: string | undefined): boolean {
  if (contentType === undefined) return false
  return /^application\/(?:[\w.-]+\+)?json *(?:; *charset="?utf-8"? *)?$/i.test(contentType)
}

/** So many digits a double may not hold: the number would change its value on the way through it. */
const digitsAtRisk = 16

/**
 * True where a number may have so many digits; what stands within a string may be taken for one. Every such run of
 * digits has one at a step of its own length and more half a step away, so that most of the text is never looked at.
 */
function hasBigNumber(text: Buffer): boolean {
  const { length } = text
  const half = digitsAtRisk / 2
  for (let at = digitsAtRisk - 1; at < length; at += digitsAtRisk) {
    if (!isDigit(text[at])) continue
    const isAfter = at + half < length && isDigit(text[at + half]) && isDigit(text[at + half / 2])
    if (!isAfter && !(isDigit(text[at - half]) && isDigit(text[at - half / 2]))) continue
    let first = at
    while (first > 0 && isDigit(text[first - 1])) first -= 1
    // Clouds write many long numbers as text: the character before them tells.
    if (!beginsNumber(text, first)) continue
    let end = at + 1
    while (end < length && isDigit(text[end])) end += 1
    if (end - first >= digitsAtRisk) return true
  }
  return false
}

function beginsNumber(text: Buffer, first: number): boolean {
  let before = first - 1
  if (before >= 0 && text[before] === 0x2d) before -= 1
  while (before >= 0 && isSpace(text[before])) before -= 1
  if (before < 0) return true
  const code = text[before]
  return code === 0x3a || code === 0x2c || code === 0x5b
}

function isSpace(code: number | undefined): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
}

function isDigit(code: number | undefined): boolean {
  return code !== undefined && code >= 0x30 && code <= 0x39
}

function keepNumber(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  return context.source === undefined ? value : JSON.rawJSON(context.source)
}

/** What stands at a dotted path of own keys; the empty path is the root. `undefined`: nothing does. */
export function valueAtPath(root: unknown, path: string): unknown {
  if (path === '') return root
  let found = root
  for (const key of path.split('.')) {
    if (!isJsonObject(found) || !Object.hasOwn(found, key)) return undefined
    found = found[key]
  }
  return found
}

export function isJsonObject(value: unknown): value is JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  // Numbers kept as text are of no prototype, which is quicker to see than what they are.
  return value instanceof Object || !JSON.isRawJSON(value)
}

/** Ids and keys are text inside the gate; clouds also write them as whole numbers. `undefined`: neither, or empty. */
export function plainText(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value
  if (Number.isSafeInteger(value)) return String(value)
  const source = JSON.isRawJSON(value) ? JSON.stringify(value) : ''
  return /^-?\d+$/.test(source) ? source : undefined
}
