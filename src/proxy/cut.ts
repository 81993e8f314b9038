/** Cuts an answer down to what the caller may see: keys kept, keys stripped, secrets taken out. Pure. */

import { isUtf8 } from 'node:buffer'
import type { AnswerSpec } from '../domain/catalog.ts'
import { Problem } from '../domain/problem.ts'
import type { UpstreamAnswer } from '../upstream/upstream.ts'
import type { Cut } from './exchange.ts'

// Source text of numbers (ECMAScript 2026) is not in the compiler's library yet.
declare global {
  interface JSON {
    rawJSON(text: string): object
    isRawJSON(value: unknown): boolean
    parse(text: string, reviver: NumberKeeper): unknown
  }
}
type NumberKeeper = (key: string, value: unknown, context: { source?: string }) => unknown

/** Deeper answers are refused: no cloud sends them, and a walk must end. */
const maxDepth = 100

/** What remains of an error answer: enough to act on, nothing of the resource. */
const errorKeys: ReadonlySet<string> = new Set(
  'error error_description info ok errors message code'.split(' '),
)

type Json = { [key: string]: unknown }
type Strip = ReadonlySet<string>

/**
 * The body to send on. `whole` is the upstream's own, untouched.
 * @throws Problem `unfilterable_answer` where something must be cut and the answer is not what the catalog says.
 */
export function cutAnswer(
  { status, headers, body }: UpstreamAnswer,
  cut: Cut,
): { mode: 'whole' | 'cut'; body: Buffer } {
  const strip = stripped(cut)
  const keep = cut.obligations.answer
  if (keep === undefined && strip.size === 0) return { mode: 'whole', body }
  if (status === 204 || status === 304) return { mode: 'cut', body: Buffer.alloc(0) }
  if (status >= 400) return { mode: 'cut', body: cutError(headers['content-type'], body, strip) }
  if (cut.answer.kind !== 'object' && cut.answer.kind !== 'list') {
    throw unfilterable('this kind of answer has no keys to cut')
  }
  const root = parseJson(headers['content-type'], body)
  const found = findAt(root, cut.answer.at)
  let result = root
  if (cut.answer.kind === 'list') {
    if (!Array.isArray(found)) throw unfilterable('no list where the catalog has one')
    for (let i = 0; i < found.length; i += 1) {
      const item: unknown = found[i]
      if (!isObject(item)) throw unfilterable('a list item is not an object')
      if (keep !== undefined) found[i] = pick(item, keep)
    }
  } else {
    if (!isObject(found)) throw unfilterable('no object where the catalog has one')
    if (keep !== undefined) result = replaceAt(root, cut.answer.at, pick(found, keep))
  }
  stripKeys(result, strip, 0)
  return { mode: 'cut', body: toBody(result) }
}

/** True for answers whose keys are known to the catalog, so that they can be cut. */
export function hasKeys(answer: AnswerSpec): boolean {
  return answer.kind === 'object' || answer.kind === 'list'
}

/** Keys to take out at any depth. */
function stripped({ answer, obligations }: Cut): Strip {
  if (answer.kind !== 'object' && answer.kind !== 'list') return obligations.hide
  const { hide, reveal } = obligations
  const secrets = answer.secrets.filter((key) => !reveal.has(key))
  return secrets.length === 0 ? hide : new Set([...hide, ...secrets])
}

function cutError(contentType: string | undefined, body: Buffer, strip: Strip): Buffer {
  if (body.length === 0) return body
  const root = parseJson(contentType, body)
  if (!isObject(root)) throw unfilterable('an error answer is not an object')
  const kept = pick(root, errorKeys)
  stripKeys(kept, strip, 0)
  return toBody(kept)
}

function parseJson(contentType: string | undefined, body: Buffer): unknown {
  if (!isJsonType(contentType)) throw unfilterable('the answer is not JSON')
  if (!isUtf8(body) || (body[0] === 0xef && body[1] === 0xbb)) {
    throw unfilterable('the answer is not plain UTF-8')
  }
  const text = body.toString('utf8')
  try {
    return bigNumber.test(text) ? JSON.parse(text, keepNumber) : JSON.parse(text)
  } catch (cause) {
    throw unfilterable('the answer does not parse', cause)
  }
}

/** `application/json` or `application/…+json`; a charset, if said, is UTF-8. */
export function isJsonType(contentType: string | undefined): boolean {
  if (contentType === undefined) return false
  return /^application\/(?:[\w.-]+\+)?json *(?:; *charset="?utf-8"? *)?$/i.test(contentType)
}

/** A number of 16 digits or more would change its value on the way through a double. */
const bigNumber = /[:,[]\s*-?\d{16}/

function keepNumber(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  return context.source === undefined ? value : JSON.rawJSON(context.source)
}

function findAt(root: unknown, at: string): unknown {
  if (at === '') return root
  let found = root
  for (const key of at.split('.')) {
    if (!isObject(found) || !Object.hasOwn(found, key)) return undefined
    found = found[key]
  }
  return found
}

function replaceAt(root: unknown, at: string, item: Json): unknown {
  if (at === '') return item
  const keys = at.split('.')
  const last = keys.pop() ?? ''
  const parent = findAt(root, keys.join('.'))
  if (!isObject(parent)) throw unfilterable('no object where the catalog has one')
  parent[last] = item
  return root
}

function pick(item: Json, keep: ReadonlySet<string>): Json {
  const kept: Json = {}
  for (const key of keep) {
    if (key !== '__proto__' && Object.hasOwn(item, key)) kept[key] = item[key]
  }
  return kept
}

/** `undefined` is left out by JSON.stringify and, unlike `delete`, keeps the object's fast shape. */
function stripKeys(value: unknown, strip: Strip, depth: number): void {
  if (typeof value !== 'object' || value === null) return
  if (depth > maxDepth) throw unfilterable('the answer is nested too deep')
  if (Array.isArray(value)) {
    for (const item of value) stripKeys(item, strip, depth + 1)
    return
  }
  if (!isObject(value)) return
  for (const key in value) {
    if (key === '__proto__') delete value[key]
    else if (strip.has(key)) value[key] = undefined
    else stripKeys(value[key], strip, depth + 1)
  }
}

function toBody(value: unknown): Buffer {
  try {
    return Buffer.from(JSON.stringify(value))
  } catch (cause) {
    throw unfilterable('the cut answer does not serialise', cause)
  }
}

function isObject(value: unknown): value is Json {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value)
  )
}

function unfilterable(what: string, cause?: unknown): Problem {
  return new Problem('unfilterable_answer', { cause: cause ?? what })
}
