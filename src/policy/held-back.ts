/** What today's grant gives and the issued one does not: held back from a token until it is rotated or extended. */

import { attributesRead } from '../domain/attributes-read.ts'
import type { Catalog } from '../domain/catalog.ts'
import type { DeviceLimit, ApiUser, Boundary, Grant, GrantRule, Limit } from '../domain/grant.ts'
import { isInRange } from './addresses.ts'
import { toRef } from './decide.ts'
import { canonicalJson } from './grant-hash.ts'
import type { HeldBack } from './policy-engine.ts'
import { ownWrites } from './self-escalation.ts'

/**
 * Compares what is written, so that it never keeps silent about a right that is held back; of two spellings of one
 * right it may speak without need.
 */
export function heldBack(
  { grant: today }: Pick<ApiUser, 'grant'>,
  issued: Grant,
  catalog: Catalog,
): HeldBack[] {
  const held: HeldBack[] = []
  const bound = (what: 'boundary' | 'devices' | 'rate' | 'from', a: string, b: string) =>
    void held.push({ what, issued: a, today: b })
  if (!holds(issued.boundary, today.boundary)) {
    bound('boundary', boundaryText(issued.boundary), boundaryText(today.boundary))
  }
  if (!reachesAsFar(issued, today)) bound('devices', devicesText(issued), devicesText(today))
  if (!isAsWide(issued.rate, today.rate))
    bound('rate', limitText(issued.rate), limitText(today.rate))
  if (!admitsAsMany(issued.from, today.from))
    bound('from', fromText(issued.from), fromText(today.from))
  const cans = ofEffect(issued, 'can')
  const freed = writesFreed(issued, today, catalog)
  for (const rule of ofEffect(today, 'can')) {
    const lost = new Set(lacking(rule, cans))
    add(
      held,
      rule,
      rule.actions.filter((action) => lost.has(action) || freed(action)),
    )
  }
  // A prohibition that was lifted since gives something too.
  const cannots = ofEffect(today, 'cannot')
  for (const rule of ofEffect(issued, 'cannot')) add(held, rule, lacking(rule, cannots))
  return held
}

function add(held: HeldBack[], rule: GrantRule, actions: readonly string[]): void {
  if (actions.length > 0) held.push({ what: 'rule', actions, rule: toRef(rule) })
}

/** Whether an action writes what the issued grant reads and today's reads no more: its own limits have gone. */
function writesFreed(issued: Grant, today: Grant, { actions }: Catalog) {
  const [before, now] = [attributesRead(issued), attributesRead(today)]
  return (name: string) => {
    const action = actions.get(name)
    if (action === undefined) return false
    return ownWrites(action, before).length > 0 && ownWrites(action, now).length === 0
  }
}

function ofEffect({ rules }: Grant, effect: GrantRule['effect']): GrantRule[] {
  return rules.filter((rule) => rule.effect === effect)
}

/** Actions of the rule for which none of the others says the same, with as much room. */
function lacking(rule: GrantRule, others: readonly GrantRule[]): string[] {
  const meaning = sayingOf(rule)
  const same = others.filter(
    (other) => isAsWide(other.limit, rule.limit) && sayingOf(other) === meaning,
  )
  return rule.actions.filter((action) => !same.some(({ actions }) => actions.includes(action)))
}

/** A rule's meaning but for its actions, its limit and what it tells people. */
function sayingOf(rule: GrantRule): string {
  const {
    actions: _,
    limit: __,
    because: ___,
    tell: ____,
    id: _____,
    origin: ______,
    ...saying
  } = rule
  return canonicalJson(saying)
}

function isAsWide(issued: Limit | undefined, today: Limit | undefined): boolean {
  if (issued === undefined) return true
  return today !== undefined && today.perS === issued.perS && today.calls <= issued.calls
}

function holds(issued: Boundary, today: Boundary): boolean {
  if (issued.kind === 'organization' || today.kind === 'organization') {
    return canonicalJson(issued) === canonicalJson(today)
  }
  return today.products.every((product) => issued.products.includes(product))
}

function reachesAsFar(issued: Grant, today: Grant): boolean {
  const places = new Set([...Object.keys(issued.devices), ...Object.keys(today.devices)])
  return [...places].every((place) => {
    const limit = limitAt(today, place)
    return limit === undefined || isWithinLimit(limit, limitAt(issued, place))
  })
}

function limitAt({ devices }: Grant, place: string): DeviceLimit | undefined {
  return Object.hasOwn(devices, place) ? devices[place] : devices['*']
}

function isWithinLimit(inner: DeviceLimit, outer: DeviceLimit | undefined): boolean {
  if (outer === undefined) return false
  if ('all' in outer) return true
  if ('ids' in inner && 'ids' in outer) return inner.ids.every((id) => outer.ids.includes(id))
  return canonicalJson(inner) === canonicalJson(outer)
}

function admitsAsMany(
  issued: readonly string[] | undefined,
  today: readonly string[] | undefined,
): boolean {
  if (issued === undefined) return true
  return today !== undefined && today.every((one) => issued.some((other) => isInRange(one, other)))
}

function boundaryText(boundary: Boundary): string {
  return boundary.kind === 'organization'
    ? `organization ${boundary.organization}`
    : boundary.products.join(', ')
}

function devicesText({ devices }: Grant): string {
  const places = Object.entries(devices).map(([place, limit]) => `${place}: ${limitTextOf(limit)}`)
  return places.length === 0 ? 'none' : places.toSorted().join('; ')
}

function limitTextOf(limit: DeviceLimit): string {
  if ('all' in limit) return 'all'
  return 'ids' in limit ? limit.ids.join(', ') : canonicalJson(limit.where)
}

function limitText(limit: Limit | undefined): string {
  return limit === undefined ? 'any' : `${limit.calls} calls in ${limit.perS} s`
}

function fromText(from: readonly string[] | undefined): string {
  return from === undefined ? 'anywhere' : from.join(', ')
}
