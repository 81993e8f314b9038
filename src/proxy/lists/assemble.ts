/** Puts a cut list together again: what the catalog declares of the root, and nothing else of it. Pure. */

import type { ListAnswer } from '../../domain/catalog.ts'
import {
  isJsonObject,
  parseCloudText,
  valueAtPath,
  type JsonObject,
  plainText,
} from '../../lib/cloud-json.ts'
import { cutItem, stripKeys, unfilterable, type Strip } from '../cut.ts'
import { toText } from './body.ts'
import { isStripped, type Show } from './show.ts'

export type Assembly = {
  answer: ListAnswer
  /** The cloud's own, whatever stands at items and sides. */
  root: unknown
  /** As they are shown. */
  items: readonly JsonObject[]
  /** Where the items came from. */
  show: Pick<Show, 'wanted' | 'strip'>
  /** Per side: its entries in the cloud's order. */
  sides: readonly Iterable<readonly [key: string, entry: () => JsonObject]>[]
  /** By dotted path; written only where the cloud's root has a number there. */
  numbers: ReadonlyMap<string, number>
}

/** @throws Problem `unfilterable_answer` where a part is nested too deep */
export function assemble(assembly: Assembly): unknown {
  const { answer, root, items, show, numbers } = assembly
  const { at, items: spec } = answer
  if (at === '') return items
  const parts: Part[] = [{ path: at.split('.'), put: () => items }]
  for (const [index, side] of spec.sides.entries()) {
    if (isStripped(side.at, show.strip)) continue
    const entries = sideEntries(assembly, index)
    parts.push({ path: side.at.split('.'), put: () => entries })
  }
  for (const key of spec.keep) {
    if (!isStripped(key, show.strip)) parts.push({ path: key.split('.'), put: kept(show.strip) })
  }
  for (const [path, number] of numbers) {
    if (!isStripped(path, show.strip)) parts.push({ path: path.split('.'), put: () => number })
  }
  return project(root, parts)
}

/** The text of what was assembled, before and after what stands at a key of it. */
export function textAround(assembled: unknown, key: string): [before: string, after: string] {
  if (!isJsonObject(assembled)) throw unfilterable('no object where the catalog has one')
  const there = Object.entries(assembled).filter(([, value]) => value !== undefined)
  const entries = there.map(([name, value]) => {
    return `${JSON.stringify(name)}:${name === key ? '' : toText(value)}`
  })
  const at = there.findIndex(([name]) => name === key) + 1
  const after = entries.slice(at).map((entry) => `,${entry}`)
  return [`{${entries.slice(0, at).join(',')}`, `${after.join('')}}`]
}

type Part = { path: readonly string[]; put: (there: unknown) => unknown }

/** The declared parts that are there, in the order of the cloud. */
function project(value: unknown, parts: readonly Part[]): unknown {
  if (!isJsonObject(value)) throw unfilterable('no object where the catalog has one')
  const made: JsonObject = {}
  for (const key of Object.keys(value)) {
    if (key === '__proto__') continue
    const within = parts.filter(({ path }) => path[0] === key)
    const [first] = within
    if (first === undefined) continue
    const leaf = within.find(({ path }) => path.length === 1)
    if (leaf !== undefined) {
      made[key] = leaf.put(value[key])
      continue
    }
    // What should be around a number may be null or absent; then there is no number.
    if (!isJsonObject(value[key])) continue
    made[key] = project(
      value[key],
      within.map(({ path, put }) => ({ path: path.slice(1), put })),
    )
  }
  return made
}

function kept(strip: Strip): Part['put'] {
  return (there) => {
    stripKeys(there, strip)
    return there
  }
}

function sideEntries({ answer, show, sides }: Assembly, index: number): JsonObject[] {
  const wanted = show.wanted[index]
  const keep = new Set(answer.items.sides[index]?.keep)
  const entries: JsonObject[] = []
  if (wanted === undefined || wanted.size === 0) return entries
  for (const [key, entry] of sides[index] ?? []) {
    const strip = wanted.get(key)
    if (strip === undefined) continue
    entries.push(cutItem(entry(), keep, show.strip.size === 0 ? strip : strip.union(show.strip)))
  }
  return entries
}

export function* sideOfView(
  side: ReadonlyMap<string, string> | undefined,
): Iterable<readonly [string, () => JsonObject]> {
  for (const [key, text] of side ?? []) yield [key, () => objectOf(parseCloudText(text))]
}

/** @throws Problem `unfilterable_answer` where it is no list of entries with this key */
export function* sideOfAnswer(
  root: unknown,
  { at, key }: { at: string; key: string },
): Iterable<readonly [string, () => JsonObject]> {
  const found = valueAtPath(root, at)
  if (found === undefined) return
  if (!Array.isArray(found)) throw unfilterable(`there is no list at "${at}"`)
  for (const entry of found as readonly unknown[]) {
    const name = plainText(valueAtPath(entry, key))
    if (name === undefined) throw unfilterable(`an entry at "${at}" has no "${key}"`)
    yield [name, () => objectOf(entry)]
  }
}

function objectOf(value: unknown): JsonObject {
  if (isJsonObject(value)) return value
  throw unfilterable('an entry beside a list is not an object')
}
