/** Decides the items of an admitted list, or the events of a stream, one by one: fast, for there are many. */

import type { AccessRequest, RequestContext } from '../domain/access-request.ts'
import type { Action, FieldWord } from '../domain/catalog.ts'
import type { Obligations } from '../domain/decision.ts'
import type { AbilityParts } from './ability.ts'
import { tighter } from './action-traits.ts'
import { Ask, combinations } from './ask.ts'
import { ID } from './catalog-facts.ts'
import { joinNarrowings, toNarrowings, type Narrowed } from './narrow.ts'
import { joinObligations, sameObligations, WHOLE } from './obligations.ts'
import type { Item, ItemJudge, ItemVerdict, Narrowing } from './policy-engine.ts'
import type { CompiledGrant } from './verdict.ts'
import { VerdictMemory } from './verdict-memory.ts'

const DENY: ItemVerdict = { outcome: 'deny' }
const NEEDS_FACTS: ItemVerdict = { outcome: 'needs_facts' }
const ALLOW_WHOLE: ItemVerdict = { outcome: 'allow', obligations: WHOLE }

type Judge = ItemJudge['judge']
type NamedGrant = { hash: string; compiled: CompiledGrant }

export type JudgeOptions = {
  parts: AbilityParts
  today: NamedGrant
  /** Absent where it is today's. */
  issued: NamedGrant | undefined
  request: AccessRequest
  context: RequestContext
}

export const NOBODY: ItemJudge = {
  judge: () => DENY,
  key: 'nobody',
  timed: false,
  maxAgeMs: undefined,
  narrow: [],
}

export function createItemJudge(options: JudgeOptions): ItemJudge {
  const { parts, today, issued, request, context } = options
  const action = parts.catalog.actions.get(request.action)
  if (action === undefined) return NOBODY
  const grants = issued === undefined ? [today] : [today, issued]
  const traits = grants.map(({ compiled }) => compiled.traits(action.name))
  const [mine, theirs] = grants.map(({ compiled }) =>
    judgeUnder(compiled, action, parts, request, context),
  )
  if (mine === undefined) return NOBODY
  const { events: _, ...names } = request.fields
  const values = traits.some(({ readsValues }) => readsValues) ? request.values : {}
  const hashes = grants.map(({ hash }) => hash)
  return {
    judge: theirs === undefined ? mine : both(mine, theirs),
    key: JSON.stringify([...hashes, action.name, names, values]),
    timed: traits.some(({ timed }) => timed),
    maxAgeMs: traits.map(({ maxAgeMs }) => maxAgeMs).reduce(tighter, undefined),
    narrow: narrowBy(grants.map(({ compiled }) => compiled.narrowed(action, request.resource))),
  }
}

function narrowBy(grants: readonly Narrowed[]): readonly Narrowing[] {
  const [only, ...others] = grants
  if (only !== undefined && others.length === 0) return only.narrowings
  return toNarrowings(grants.map(({ sure }) => sure).reduce(joinNarrowings))
}

/** What only one of two grants shows is not shown. */
function both(mine: Judge, theirs: Judge): Judge {
  const joined = new WeakMap<Obligations, WeakMap<Obligations, ItemVerdict>>()
  return (item, atMs) => {
    const a = mine(item, atMs)
    if (a.outcome === 'deny') return a
    const b = theirs(item, atMs)
    if (b.outcome !== 'allow') return b
    if (a.outcome !== 'allow' || a === b) return a
    let row = joined.get(a.obligations)
    if (row === undefined) {
      row = new WeakMap()
      joined.set(a.obligations, row)
    }
    let verdict = row.get(b.obligations)
    if (verdict === undefined) {
      verdict = { outcome: 'allow', obligations: joinObligations(a.obligations, b.obligations) }
      row.set(b.obligations, verdict)
    }
    return verdict
  }
}

function judgeUnder(
  { ability, traits, obligations }: CompiledGrant,
  action: Action,
  { facts: known }: AbilityParts,
  request: AccessRequest,
  context: RequestContext,
): Judge {
  const isStream = action.shape === 'stream'
  const { events, ...others } = request.fields
  const fields = isStream || events === undefined ? others : request.fields
  // One ask for all items: each takes its place in it.
  const ask = new Ask({ request, action, known, context })
  const names: Partial<Record<FieldWord, string>>[] = combinations(
    { ...request, fields },
    action,
  ).map((tuple) => ({ ...tuple }))
  const { attributes, readsEvents, timed } = traits(action.name)
  const shown = new WeakMap<Obligations, ItemVerdict>()
  const memory =
    attributes.has(ID) || (isStream && readsEvents) ? undefined : new VerdictMemory(attributes)
  let rememberedAtMs: number | undefined

  return (item, atMs) => {
    if (item.resource.type === 'none') return DENY
    ask.take(item, atMs)
    ask.reading = 'strict'
    if (memory === undefined) return judgeWhole(item)
    // What is in reach for its id or for what it is fares by what the rules read of it.
    if (!ability.reaches(ask)) return ask.open ? judgeWhole(item) : DENY
    if (timed && atMs !== rememberedAtMs) {
      memory.clear()
      rememberedAtMs = atMs
    }
    const spot = memory.spotOf(item)
    if (spot === undefined) return judgeWhole(item)
    spot.verdict ??= judgeWhole(item)
    return spot.verdict
  }

  function judgeWhole({ event }: Item): ItemVerdict {
    if (isStream) {
      for (const tuple of names) {
        if (event === undefined) delete tuple.events
        else tuple.events = event.name
      }
    }
    ask.reading = 'strict'
    if (holds()) return show()
    if (!ask.open) return DENY
    ask.reading = 'open'
    return holds() ? NEEDS_FACTS : DENY
  }

  function holds(): boolean {
    for (const tuple of names) {
      ask.names = tuple
      if (ability.decide(ask).outcome !== 'can') return false
    }
    return names.length > 0
  }

  function show(): ItemVerdict {
    ask.open = false
    const strict = obligations(ask, names, 'strict')
    if (ask.open && !sameObligations(strict, obligations(ask, names, 'open'))) return NEEDS_FACTS
    if (strict === WHOLE) return ALLOW_WHOLE
    let verdict = shown.get(strict)
    if (verdict === undefined) {
      verdict = { outcome: 'allow', obligations: strict }
      shown.set(strict, verdict)
    }
    return verdict
  }
}
