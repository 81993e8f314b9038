/** A list of the whole boundary, put together from that of each of its products: the cloud's own knows one account. */

import type { ListWay } from '../../audit/audit-log.ts'
import type { Resource } from '../../domain/access-request.ts'
import type { Catalog, ListAnswer, Pattern, Route } from '../../domain/catalog.ts'
import type { Clock } from '../../domain/clock.ts'
import type { Obligations } from '../../domain/decision.ts'
import { Problem } from '../../domain/problem.ts'
import type { QueryEntry } from '../../domain/target.ts'
import type { Secret } from '../../lib/secret.ts'
import type { UpstreamCredentials } from '../../upstream/credentials.ts'
import type { Directory } from '../../upstream/directory.ts'
import { UpstreamRefusal, type FleetLists } from '../../upstream/fleet-lists.ts'
import { unfilterable } from '../cut.ts'
import type { AssembledAnswer } from '../exchange.ts'
import type { Served } from '../enforce.ts'
import { queryOf } from '../query.ts'
import { encodeSegment } from '../target.ts'
import { toText, withoutCredentials } from './body.ts'
import { itemsOfView, type Items } from './items.ts'
import type { Look, Looked } from './look.ts'
import { numbersOf, pageOf, rangeOf } from './page.ts'
import { readView, type Source } from './read-view.ts'
import type { ItemResources } from './resources.ts'
import { createShow } from './show.ts'
import type { Breathe } from './turns.ts'

export type AcrossParts = {
  catalog: Pick<Catalog, 'routes'>
  credentials: UpstreamCredentials
  directory: Pick<Directory, 'product'>
  fleetLists: FleetLists
  resources: ItemResources
  clock: Clock
  look: Look
  turns: () => Breathe
  /** Larger answers are refused. */
  maxAnswerBytes: number
}

type Found = { answer: ListAnswer; items: Items; index: number; obligations: Obligations }
type Part = { found: readonly Found[]; way: ListWay; atMs: number; credential: Secret }

/** @throws Problem; also where one product cannot be read, for a shorter list would not be true */
export async function serveAcross(
  parts: AcrossParts,
  served: Served,
  answer: ListAnswer,
  pattern: Pattern,
): Promise<AssembledAnswer> {
  const { clock, credentials, look, resources } = parts
  const { principal, request } = served
  const { paging } = answer.items
  const query = queryOf(request.target)
  const asked = paging === undefined ? undefined : pageOf(query, paging)
  const { route, answer: listed } = sourceOf(parts.catalog, pattern)
  const filters = takenBy(route, asked?.filters ?? query)
  const judge = look.judgeOf(served)
  const all: Part[] = []
  for (const place of await resources.products(principal)) {
    const looked = { served, answer: listed, place, judge }
    const source = {
      path: fill(pattern, place),
      query: filters,
      credential: credentials.for(place),
    }
    // oxlint-disable-next-line no-await-in-loop -- the cloud's quota is for others too
    all.push(await readPart(parts, looked, source))
  }
  const found = all.flatMap((part) => part.found)
  const total = found.length
  const { from, to } = asked === undefined ? { from: 0, to: total } : rangeOf(asked.page, total)
  const list = await textOf(parts, served, answer, found.slice(from, to))
  const numbers =
    paging === undefined || asked === undefined ? [] : numbersOf(paging, asked.page, total)
  const spoken = [request.credential, ...all.map(({ credential }) => credential)]
  const startMs = Math.min(clock.monotonic(), ...all.map(({ atMs }) => atMs))
  return {
    status: 200,
    contentType: 'application/json; charset=utf-8',
    body: withoutCredentials(Buffer.from(rootText(answer.at, list, numbers)), spoken),
    upstream: { status: undefined, requestId: undefined },
    list: { way: wayOf(all), total, ageMs: clock.monotonic() - startMs },
  }
}

async function readPart(
  { clock, directory, fleetLists, look }: AcrossParts,
  looked: Looked,
  source: Source,
): Promise<Part> {
  const { answer } = looked
  const { credential } = source
  try {
    const { view, way } = await readView(fleetLists, looked, source)
    const items = itemsOfView(view)
    const { indexes, kinds, obligations } = await look.among(looked, items, view)
    const found = Array.from(indexes, (index, nth) => ({
      ...{ answer, items, index },
      obligations: obligations[kinds[nth] ?? 0] ?? looked.served.decision.obligations,
    }))
    return { found, way, atMs: view.atMs, credential }
  } catch (error) {
    if (!(error instanceof UpstreamRefusal)) throw error
    // A product that the cloud does not know any more has no devices; anything else would make a shorter list.
    const { product = '' } = looked.place
    const { user } = looked.served.principal
    if ((await directory.product(product, user)) !== undefined) {
      throw new Problem('upstream_failed', { cause: error })
    }
    return { found: [], way: 'whole', atMs: clock.monotonic(), credential }
  }
}

/** The items as JSON text, each written by itself so that others get their turn. */
async function textOf(
  { turns, maxAnswerBytes }: AcrossParts,
  { decision }: Served,
  answer: ListAnswer,
  found: readonly Found[],
): Promise<string> {
  const secrets = [...new Set([...answer.secrets, ...(found[0]?.answer.secrets ?? [])])]
  const show = createShow(answer, secrets, decision.obligations)
  const breathe = turns()
  const texts: string[] = []
  let length = 0
  for (const { items, index, obligations } of found) {
    const text = toText(show.item(items.itemAt(index), obligations))
    length += text.length
    if (length > maxAnswerBytes) throw unfilterable('the list is larger than an answer may be')
    texts.push(text)
    const pause = breathe()
    // oxlint-disable-next-line no-await-in-loop -- likewise
    if (pause !== undefined) await pause
  }
  return `[${texts.join(',')}]`
}

/** No root of the cloud's is behind it: the list at its place, and the numbers the catalog has for it. */
function rootText(
  at: string,
  list: string,
  numbers: Iterable<readonly [path: string, number: number]>,
): string {
  if (at === '') return list
  const root: Tree = new Map()
  plant(root, at.split('.'), list)
  for (const [path, number] of numbers) plant(root, path.split('.'), String(number))
  return write(root)
}

type Tree = Map<string, Tree | string>

function plant(tree: Tree, [key = '', ...rest]: readonly string[], text: string): void {
  if (rest.length === 0) {
    tree.set(key, text)
    return
  }
  const known = tree.get(key)
  const below: Tree = known instanceof Map ? known : new Map()
  tree.set(key, below)
  plant(below, rest, text)
}

function write(tree: Tree): string {
  const entries = Array.from(tree, ([key, value]) => {
    return `${JSON.stringify(key)}:${typeof value === 'string' ? value : write(value)}`
  })
  return `{${entries.join(',')}}`
}

function sourceOf({ routes }: Pick<Catalog, 'routes'>, pattern: Pattern) {
  for (const route of routes) {
    const { answer, method } = route
    if (method !== 'GET' || route.pattern.text !== pattern.text) continue
    if (answer.kind !== 'list' || answer.items === undefined) continue
    return { route, answer: { ...answer, items: answer.items } }
  }
  throw new Problem('internal', { cause: `no list at ${pattern.text}` })
}

/** @throws Problem `unknown_query_key` for a filter that the products' own lists do not have */
function takenBy(route: Route, filters: readonly QueryEntry[]): readonly QueryEntry[] {
  if (filters.every(({ key }) => route.query.has(key))) return filters
  throw new Problem('unknown_query_key')
}

function fill({ segments, text }: Pattern, { organization, product }: Resource): string {
  const ids: Readonly<Record<string, string | undefined>> = { organization, product }
  return segments
    .map((segment) => {
      const value = 'literal' in segment ? segment.literal : ids[segment.parameter]
      if (value === undefined) throw new Problem('internal', { cause: `nothing to fill ${text}` })
      return `/${encodeSegment(value)}`
    })
    .join('')
}

/** The widest of the ways that were taken. */
function wayOf(parts: readonly Part[]): ListWay {
  const ways = new Set(parts.map(({ way }) => way))
  if (ways.has('index')) return 'index'
  return ways.has('narrowed') || ways.size === 0 ? 'narrowed' : 'ids'
}
