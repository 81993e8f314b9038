/** How answers are cut, as the catalog writes it: lists with their items, pages and sides, and shared streams. */

import type { AnswerSpec, ItemsSpec, KeySpec, Paging, Pattern, Side } from '../domain/catalog.ts'
import { didYouMean } from '../lib/nearest.ts'
import type { AnswerText, CatalogText, ListText, PagingText } from './catalog-shape.ts'
import { FLEET_TYPES, type FleetType, type Grammars, type Report } from './grammar.ts'
import { parametersOf, parsePath } from './pattern.ts'

export type AnswerSurroundings = {
  file: CatalogText
  grammars: Grammars
  query: ReadonlyMap<string, KeySpec>
  /** The form as the client calls it: its parameters are in hand. */
  pattern: Pattern
  /** What is sent upstream, without an optional last parameter: a plain stream is shared under it. */
  home: Pattern
  report: Report
  /** Where the answer stands in the file. */
  path: readonly PropertyKey[]
}

/** Words that speak of items, and of nothing where the items are nobody's. */
const ITEM_WORDS = ['id', 'when', 'facts', 'paging', 'sides', 'keep', 'narrow', 'across'] as const

/** `undefined`: it is of no kind, or of several. `.` is the root. */
export function answerSpec(
  given: AnswerText | undefined,
  around: AnswerSurroundings,
): AnswerSpec | undefined {
  if (given === undefined || given === 'object') return { kind: 'object', at: '', secrets: [] }
  if (given === 'list') return { kind: 'list', at: '', item: 'none', secrets: [] }
  if (given === 'opaque') return { kind: 'opaque' }
  if (given === 'stream') return { kind: 'stream', shared: around.home }
  const { object, list, stream, secrets = [] } = given
  const kinds = [object, list, stream].filter((said) => said !== undefined)
  if (kinds.length > 1 || (kinds.length === 0 && given.item === undefined && secrets.length === 0))
    return undefined
  const items = list === undefined ? undefined : itemsSpec(given, around)
  if (items === undefined) refuseItemWords(given, around)
  if (stream !== undefined) return { kind: 'stream', shared: sharedStream(stream, around) }
  if (list !== undefined) {
    const item = given.item ?? 'none'
    return { kind: 'list', at: root(list), item, secrets, ...(items !== undefined && { items }) }
  }
  const item = given.item === undefined ? {} : { item: given.item }
  return { kind: 'object', at: root(object ?? '.'), secrets, ...item }
}

function root(at: string): string {
  return at === '.' ? '' : at
}

function refuseItemWords(given: ListText, { report, path }: AnswerSurroundings): void {
  for (const word of ITEM_WORDS) {
    if (given[word] === undefined) continue
    report([...path, word], `"${word}" is about the items of a list: say what each "item" is`)
  }
}

/** `undefined`: the items are no resources of the fleet. */
function itemsSpec(given: ListText, around: AnswerSurroundings): ItemsSpec | undefined {
  const type = FLEET_TYPES.find((known) => known === given.item)
  if (type === undefined) return undefined
  const { when, keep = [] } = given
  const sides = (given.sides ?? []).map((side) => ({
    ...side,
    keep: [...new Set([side.key, ...(side.keep ?? [])])],
  }))
  const paging = pagingOf(given.paging, around)
  const across = given.across === undefined ? undefined : listAcross(given.across, type, around)
  const belongs = given.id !== undefined || when !== undefined
  const facts = given.facts ?? (belongs ? 'directory' : 'item')
  checkReads(facts === 'item' ? type : undefined, around)
  checkSides(given, sides, around)
  return {
    id: given.id ?? 'id',
    ...(when !== undefined && { when }),
    facts,
    ...(paging !== undefined && { paging }),
    sides,
    keep,
    narrow: narrowOf(given.narrow ?? {}, type, around),
    ...(across !== undefined && { across }),
  }
}

function pagingOf(
  given: PagingText | string | undefined,
  { file, query, report, path }: AnswerSurroundings,
): Paging | undefined {
  const named = file.paging ?? {}
  const at = [...path, 'paging']
  if (typeof given === 'string' && !Object.hasOwn(named, given)) {
    report(at, `unknown paging "${given}"${didYouMean(given, Object.keys(named))}`)
    return undefined
  }
  const said = typeof given === 'string' ? named[given] : given
  if (said === undefined) return undefined
  for (const key of [said.page, ...said.size]) {
    if (query.has(key)) continue
    report(at, `no query key "${key}" is declared${didYouMean(key, query.keys())}`)
  }
  const { page, size, max: maxSize, default: defaultSize } = said
  if (defaultSize > maxSize) report(at, 'the default page is larger than the largest')
  return { page, size, defaultSize, maxSize, meta: metaOf(said.meta ?? {}) }
}

function metaOf({ page, size, pages, total }: NonNullable<PagingText['meta']>): Paging['meta'] {
  return {
    ...(page !== undefined && { page }),
    ...(size !== undefined && { size }),
    ...(pages !== undefined && { pages }),
    ...(total !== undefined && { total }),
  }
}

function narrowOf(
  given: Readonly<Record<string, string>>,
  type: FleetType,
  { file, query, report, path }: AnswerSurroundings,
): ItemsSpec['narrow'] {
  const known = ['id', ...Object.keys(file.resources[type].attributes ?? {})]
  return Object.entries(given).map(([key, attribute]) => {
    const at = [...path, 'narrow', key]
    if (!query.has(key)) {
      report(at, `no query key "${key}" is declared${didYouMean(key, query.keys())}`)
    }
    if (!known.includes(attribute)) {
      report(at, `unknown attribute "${attribute}"${didYouMean(attribute, known)}`)
    }
    return { query: key, attribute }
  })
}

function checkSides(
  { list, keep = [] }: ListText,
  sides: readonly Side[],
  { report, path }: AnswerSurroundings,
): void {
  for (const [i, { at }] of sides.entries()) {
    const taken = at === list || keep.includes(at) || sides.slice(0, i).some((s) => s.at === at)
    if (taken) report([...path, 'sides', i, 'at'], `"${at}" is said to be something else already`)
  }
}

/** Filters read keys of the items; of items that only belong to a resource no keys are known. */
function checkReads(
  type: FleetType | undefined,
  { file, query, report, path }: AnswerSurroundings,
): void {
  const known = type === undefined ? [] : (file.resources[type].keys ?? [])
  if (known.length === 0) return
  for (const [key, { reads }] of query) {
    const words = typeof reads === 'string' ? [reads] : Object.values(reads ?? {})
    for (const word of words.filter((read) => !known.includes(read))) {
      const at = [...path.slice(0, -1), 'query', key, 'reads']
      report(at, `unknown key "${word}" of the items${didYouMean(word, known)}`)
    }
  }
}

/** The list of one product, which must be a route of its own, of the same things. */
function listAcross(
  source: string,
  type: FleetType,
  { file, grammars, report, path }: AnswerSurroundings,
): Pattern | undefined {
  const at = [...path, 'across']
  const parsed = parsePath(source, grammars)
  if (!parsed.ok) {
    for (const message of parsed.mistakes) report(at, message)
    return undefined
  }
  const [pattern] = parsed.variants
  const lists = file.routes.filter(
    ({ answer }) => typeof answer === 'object' && answer.list !== undefined && answer.item === type,
  )
  const paths = lists.flatMap(({ route, also = [] }) =>
    [route, also].flat().flatMap((form) => (form.startsWith('GET ') ? form.slice(4) : [])),
  )
  if (!paths.includes(source)) {
    report(at, `no route lists ${file.resources[type].many} there${didYouMean(source, paths)}`)
  }
  if (pattern !== undefined && parametersOf(pattern).join() !== 'product') {
    report(at, `must name the ${file.resources.product.one} and nothing else`)
  }
  return pattern
}

/** Filled from the route's parameters, or from the product that its device is in. */
function sharedStream(source: string, around: AnswerSurroundings): Pattern {
  const { grammars, pattern, report, home } = around
  const at = [...around.path, 'stream']
  const parsed = parsePath(source, grammars)
  if (!parsed.ok) {
    for (const message of parsed.mistakes) report(at, message)
    return home
  }
  const had = parametersOf(pattern)
  for (const name of parsed.variants.flatMap(parametersOf)) {
    if (had.includes(name) || (name === 'product' && had.includes('device'))) continue
    report(at, `nothing in the path says which ":${wordOf(name, around)}" is meant`)
  }
  return parsed.variants[0] ?? home
}

/** As the file calls it. */
function wordOf(name: string, { file }: AnswerSurroundings): string {
  const type = FLEET_TYPES.find((known) => known === name)
  return type === undefined ? name : file.resources[type].one
}
