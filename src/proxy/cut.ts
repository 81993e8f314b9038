/** Cuts an answer down to what the caller may see: keys kept, keys stripped, secrets taken out. Pure. */

import type { AnswerSpec, Side } from '../domain/catalog.ts'
import type { Obligations } from '../domain/decision.ts'
import { Problem } from '../domain/problem.ts'
import {
  CloudJsonFault,
  isJsonObject as isObject,
  parseCloudJson,
  valueAtPath as findAt,
  type JsonObject as Json,
} from '../lib/cloud-json.ts'
import type { UpstreamAnswer } from '../upstream/upstream.ts'
import type { Cut } from './exchange.ts'

/** Deeper answers are refused: no cloud sends them, and a walk must end. */
const maxDepth = 100

/** What remains of an error answer: enough to act on, nothing of the resource. */
const errorKeys: ReadonlySet<string> = new Set(
  'error error_description info ok errors message code'.split(' '),
)

/** Keys to take out at any depth. */
export type Strip = ReadonlySet<string>

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
  const itemwise = cut.obligations.items === 'each'
  if (!itemwise && keep === undefined && strip.size === 0) return { mode: 'whole', body }
  if (status === 204 || status === 304) return { mode: 'cut', body: Buffer.alloc(0) }
  if (status >= 400) return { mode: 'cut', body: cutError(headers['content-type'], body, strip) }
  // Lists whose items are decided one by one never come this way; should one, nothing of it passes.
  if (itemwise) throw unfilterable('items of this answer are decided one by one')
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
  stripKeys(result, strip)
  if (cut.answer.kind === 'list') emptySides(root, cut.answer.items?.sides ?? [], keep, strip)
  return { mode: 'cut', body: toBody(result) }
}

/** What is said beside the list of a key that no item shows is not said at all. */
export function emptySides(
  root: unknown,
  sides: readonly Side[],
  keep: ReadonlySet<string> | undefined,
  strip: Strip,
): void {
  for (const { at, of } of sides) {
    const path = of.split('.')
    const isHidden = keep?.has(path[0] ?? '') === false || path.some((key) => strip.has(key))
    const entries = isHidden ? findAt(root, at) : undefined
    if (Array.isArray(entries)) entries.length = 0
    else if (entries !== undefined) throw unfilterable('no list where the catalog has one')
  }
}

/** Cuts many items by the same obligations. What it is given is used up. */
export type CutItem = (item: Json) => Json

export function createItemCut(keep: ReadonlySet<string> | undefined, strip: Strip): CutItem {
  const named = [...strip]
  if (keep === undefined) {
    return (item) => {
      stripWithin(item, named, 0)
      return item
    }
  }
  const keys = [...keep].filter((key) => key !== '__proto__' && !strip.has(key))
  // To ask whether a key is the item's own is slow, and all but these could be nobody else's.
  const own = keys.some((key) => key in Object.prototype) ? Object.hasOwn : undefined
  return (item) => {
    const kept: Json = {}
    for (const key of keys) {
      const value = item[key]
      if (value === undefined || own?.(item, key) === false) continue
      kept[key] = value
      if (typeof value === 'object' && value !== null) stripWithin(value, named, 1)
    }
    return kept
  }
}

/** The same for one of its kind. */
export function cutItem(item: Json, keep: ReadonlySet<string> | undefined, strip: Strip): Json {
  return createItemCut(keep, strip)(item)
}

/** What obligations hide, and the secrets that they do not name. */
export function strippedKeys({ hide, reveal }: Obligations, secrets: readonly string[]): Strip {
  const unnamed = secrets.filter((key) => !reveal.has(key))
  return unnamed.length === 0 ? hide : new Set([...hide, ...unnamed])
}

/** True for answers whose keys are known to the catalog, so that they can be cut. */
export function hasKeys(
  answer: AnswerSpec,
): answer is Extract<AnswerSpec, { kind: 'object' | 'list' }> {
  return answer.kind === 'object' || answer.kind === 'list'
}

function stripped({ answer, obligations }: Cut): Strip {
  return hasKeys(answer) ? strippedKeys(obligations, answer.secrets) : obligations.hide
}

function cutError(contentType: string | undefined, body: Buffer, strip: Strip): Buffer {
  if (body.length === 0) return body
  const root = parseJson(contentType, body)
  if (!isObject(root)) throw unfilterable('an error answer is not an object')
  return toBody(saidOf(root, strip))
}

/** What clouds say of an error: words and codes, and under `errors` a list of such. Any other object may hold anything. */
function saidOf(error: Json, strip: Strip): Json {
  const said: Json = {}
  for (const key of errorKeys) {
    if (!Object.hasOwn(error, key) || strip.has(key)) continue
    const value = error[key]
    if (isPlain(value)) said[key] = value
    else if (key === 'errors' && Array.isArray(value)) said[key] = value.flatMap(saidIn(strip))
  }
  return said
}

function saidIn(strip: Strip): (one: unknown) => unknown[] {
  return (one) => {
    if (isPlain(one)) return [one]
    if (Array.isArray(one)) return [one.filter(isPlain)]
    if (!isObject(one)) return []
    const { errors: _, ...words } = one
    return [saidOf(words, strip)]
  }
}

function isPlain(value: unknown): boolean {
  return value === null || typeof value !== 'object' || JSON.isRawJSON(value)
}

function parseJson(contentType: string | undefined, body: Buffer): unknown {
  try {
    return parseCloudJson(contentType, body)
  } catch (cause) {
    if (cause instanceof CloudJsonFault) throw unfilterable(cause.message, cause)
    throw cause
  }
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

export function stripKeys(value: unknown, strip: Strip): void {
  if (typeof value === 'object' && value !== null) stripWithin(value, [...strip], 0)
}

/** `undefined` is left out by JSON.stringify and, unlike `delete`, keeps the object's fast shape. */
function stripWithin(value: object, strip: readonly string[], depth: number): void {
  if (depth > maxDepth) throw unfilterable('the answer is nested too deep')
  if (Array.isArray(value)) {
    for (const item of value as readonly unknown[]) {
      if (typeof item === 'object' && item !== null) stripWithin(item, strip, depth + 1)
    }
    return
  }
  if (!isObject(value)) return
  // To ask for the few is cheaper than to look up each of the many.
  for (const key of strip) if (Object.hasOwn(value, key)) value[key] = undefined
  if (Object.hasOwn(value, '__proto__')) delete value['__proto__']
  for (const key in value) {
    const below = value[key]
    if (typeof below === 'object' && below !== null) stripWithin(below, strip, depth + 1)
  }
}

function toBody(value: unknown): Buffer {
  try {
    return Buffer.from(JSON.stringify(value))
  } catch (cause) {
    throw unfilterable('the cut answer does not serialise', cause)
  }
}

export function unfilterable(what: string, cause?: unknown): Problem {
  return new Problem('unfilterable_answer', { cause: cause ?? what })
}
