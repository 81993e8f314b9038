/** Reads one answer of the cloud as a page of the list that the catalog says it is, or refuses it. */

import { isAscii } from 'node:buffer'
import { canonicalId } from '../../domain/canonical-id.ts'
import type { ListAnswer, Paging, ResourceSpec, Side } from '../../domain/catalog.ts'
import { Problem } from '../../domain/problem.ts'
import {
  CloudJsonFault,
  isJsonObject,
  parseCloudJson,
  valueAtPath,
  type JsonObject,
  plainText,
} from '../../lib/cloud-json.ts'
import { refusalProblem, retryAfterOf } from '../answer-head.ts'
import { UpstreamRefusal, type ListItem } from '../fleet-lists.ts'
import type { UpstreamAnswer } from '../upstream.ts'
import { breathe } from './timer.ts'

export type ListPage = {
  items: readonly ListItem[]
  sides: readonly ReadonlyMap<string, string>[]
  /** JSON text, emptied of items and sides. */
  root: string
  /** What the answer says of the whole list, where it does. */
  stated: { pages: number | undefined; total: number | undefined }
  /** Memory it takes, about. */
  bytes: number
  /** One where the answer is plain ASCII. */
  bytesPerChar: 1 | 2
}

/** Objects, headers of strings, places in arrays and maps. */
export const itemOverheadBytes = 200
/** Texts written before others get their turn. */
const turnBytes = 256 * 1024

/**
 * @throws UpstreamRefusal for a status of 400 and above, Problem `upstream_refused` where it is about our credential,
 * `unfilterable_answer` for all that is not of the catalog's shape
 */
export async function readPage(
  answer: UpstreamAnswer,
  spec: ListAnswer,
  resource: ResourceSpec | undefined,
): Promise<ListPage> {
  const { status, headers, body } = answer
  const refused = refusalProblem(status)
  if (refused !== undefined) throw refused
  const contentType = headers['content-type']
  if (status >= 400) {
    throw new UpstreamRefusal(status, contentType, body, retryAfterOf(headers))
  }
  if (status !== 200) throw odd(`the answer has status ${status}`)
  try {
    const root = parseCloudJson(contentType, body)
    return await readRoot(root, spec, resource, isAscii(body) ? 1 : 2)
  } catch (cause) {
    // Nested too deep to be written again.
    if (cause instanceof CloudJsonFault || cause instanceof RangeError) throw odd(cause)
    throw cause
  }
}

async function readRoot(
  root: unknown,
  { at, items: spec }: ListAnswer,
  resource: ResourceSpec | undefined,
  bytesPerChar: 1 | 2,
): Promise<ListPage> {
  const found = valueAtPath(root, at)
  if (!Array.isArray(found)) throw odd(`there is no list at "${at}"`)
  const items: ListItem[] = []
  let chars = 0
  let turnChars = 0
  for (const item of found as readonly unknown[]) {
    if (!isJsonObject(item)) throw odd('an item is no object')
    const text = JSON.stringify(item)
    items.push({ id: idOf(item, spec, resource), text })
    chars += text.length
    if (chars - turnChars > turnBytes) {
      turnChars = chars
      // oxlint-disable-next-line no-await-in-loop -- a large page must not hold up other requests
      await breathe()
    }
  }
  const sides = spec.sides.map((side) => readSide(root, side))
  const stated = statedOf(root, spec.paging)
  const emptied = emptiedRoot(root, [at, ...spec.sides.map((side) => side.at)])
  const entries = sides.reduce((sum, side) => sum + side.size, 0)
  for (const side of sides) for (const text of side.values()) chars += text.length
  chars += emptied.length
  const overhead = (items.length + entries) * itemOverheadBytes
  const bytes = chars * bytesPerChar + overhead
  return { items, sides, root: emptied, stated, bytes, bytesPerChar }
}

function idOf(
  item: JsonObject,
  spec: ListAnswer['items'],
  resource: ResourceSpec | undefined,
): string | undefined {
  const { when } = spec
  if (when !== undefined) {
    const word = valueAtPath(item, when.at)
    if (typeof word !== 'string') throw odd(`an item has no text at "${when.at}"`)
    if (word !== when.is) return undefined
  }
  const text = plainText(valueAtPath(item, spec.id))
  const id = text === undefined || resource === undefined ? undefined : canonicalId(resource, text)
  if (id !== undefined) return id
  // It is said to belong to one: to whom must be known.
  if (when !== undefined) throw odd(`an item has no id at "${spec.id}"`)
  return undefined
}

function readSide(root: unknown, { at, key }: Side): ReadonlyMap<string, string> {
  const side = new Map<string, string>()
  const found = valueAtPath(root, at)
  if (found === undefined) return side
  if (!Array.isArray(found)) throw odd(`there is no list at "${at}"`)
  for (const entry of found as readonly unknown[]) {
    const name = isJsonObject(entry) ? plainText(valueAtPath(entry, key)) : undefined
    if (name === undefined) throw odd(`an entry at "${at}" has no "${key}"`)
    side.set(name, JSON.stringify(entry))
  }
  return side
}

function statedOf(root: unknown, paging: Paging | undefined): ListPage['stated'] {
  const count = (path: string | undefined): number | undefined => {
    if (path === undefined) return undefined
    const text = plainText(valueAtPath(root, path))
    return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined
  }
  const { pages, total } = paging?.meta ?? {}
  return { pages: count(pages), total: count(total) }
}

/** The answer was parsed for this page alone, so that it may be changed. */
function emptiedRoot(root: unknown, places: readonly string[]): string {
  for (const place of places) {
    if (place === '') return '[]'
    const dot = place.lastIndexOf('.')
    const around = valueAtPath(root, place.slice(0, Math.max(dot, 0)))
    const key = place.slice(dot + 1)
    if (isJsonObject(around) && Object.hasOwn(around, key)) around[key] = []
  }
  return JSON.stringify(root)
}

function odd(cause: unknown): Problem {
  return new Problem('unfilterable_answer', { cause })
}
