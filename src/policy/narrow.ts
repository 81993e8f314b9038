/** What every item that can pass surely has, as far as a grant says so: never more, so that nothing due is left out. */

import type { Resource } from '../domain/access-request.ts'
import type { Action } from '../domain/catalog.ts'
import type { Condition, DeviceLimit, Grant, Scalar, Test } from '../domain/grant.ts'
import type { GrantAbility } from './ability.ts'
import { ID, type CatalogFacts } from './catalog-facts.ts'
import type { Narrowing } from './policy-engine.ts'

/** By attribute: it is one of these values, or as a list holds one of them. */
type Sure = ReadonlyMap<string, ReadonlySet<Scalar>>

const NOTHING: Sure = new Map()
const NO_DEVICES: Sure = new Map([[ID, new Set<Scalar>()]])
const NOT_NARROWED: Narrowed = { sure: NOTHING, narrowings: [] }

export type Narrowed = { sure: Sure; narrowings: readonly Narrowing[] }

/** Found once for each action and limit of the grant: ids may be many, and lists are asked for again and again. */
export function createNarrower(
  grant: Grant,
  ability: Pick<GrantAbility, 'cansOf'>,
  known: CatalogFacts,
): (action: Action, place: Resource) => Narrowed {
  const found = new Map<string, Narrowed>()
  return (action, place) => {
    // Events of the cloud are of no device: nothing that devices have narrows a stream.
    if (action.shape === 'stream') return NOT_NARROWED
    const key = JSON.stringify([action.name, limitNameAt(grant, place) ?? null])
    let narrowed = found.get(key)
    if (narrowed === undefined) {
      const sure = sureOf(action, place)
      narrowed = { sure, narrowings: toNarrowings(sure) }
      found.set(key, narrowed)
    }
    return narrowed
  }

  function sureOf(action: Action, place: Resource): Sure {
    const limits = limitsAt(grant, place).map(ofLimit)
    const reach = !known.isOfDevices(action)
      ? NOTHING
      : limits.length === 0
        ? NO_DEVICES
        : eitherOf(limits)
    const cans = ability
      .cansOf(action.name)
      .map(({ rule: { condition } }) =>
        condition === undefined ? NOTHING : ofCondition(condition),
      )
    return joinNarrowings(reach, eitherOf(cans))
  }
}

/** Both hold: all that either says. There is one id, but of two other lists the shorter: an attribute may hold both. */
export function joinNarrowings(a: Sure, b: Sure): Sure {
  const joined = new Map(a)
  for (const [attribute, values] of b) {
    const before = joined.get(attribute)
    if (attribute === ID && before !== undefined) joined.set(ID, before.intersection(values))
    else if (before === undefined || values.size < before.size) joined.set(attribute, values)
  }
  return joined
}

/** In an order of its own, so that equal narrowings are asked for in equal words. */
export function toNarrowings(sure: Sure): readonly Narrowing[] {
  return [...sure]
    .map(([attribute, values]) => ({ attribute, values: [...values].toSorted(byText) }))
    .toSorted((a, b) => byText(a.attribute, b.attribute))
}

function byText(a: Scalar, b: Scalar): number {
  return String(a) < String(b) ? -1 : 1
}

/** One of them holds, nobody knows which: what all of them say something about. */
function eitherOf(all: readonly Sure[]): Sure {
  const [first, ...others] = all
  if (first === undefined) return NOTHING
  return others.reduce((a, b) => {
    const shared = [...a].flatMap(([attribute, values]): [string, ReadonlySet<Scalar>][] => {
      const more = b.get(attribute)
      return more === undefined ? [] : [[attribute, values.union(more)]]
    })
    return new Map(shared)
  }, first)
}

/** The product whose limit holds at the place, `*` for all others; `undefined`: it is about no one product. */
function limitNameAt({ devices }: Grant, { product }: Resource): string | undefined {
  return product === undefined || Object.hasOwn(devices, product) ? product : '*'
}

/** The limits that devices of the place may be under. A product without one has no devices in reach. */
function limitsAt(grant: Grant, place: Resource): readonly DeviceLimit[] {
  const { boundary, devices } = grant
  const limitOf = (product: string) => {
    const limit = devices[limitNameAt(grant, { type: 'product', product }) ?? '*']
    return limit === undefined ? [] : [limit]
  }
  if (place.product !== undefined) return limitOf(place.product)
  return boundary.kind === 'products' ? boundary.products.flatMap(limitOf) : Object.values(devices)
}

function ofLimit(limit: DeviceLimit): Sure {
  if ('all' in limit) return NOTHING
  return 'ids' in limit ? new Map([[ID, new Set(limit.ids)]]) : ofCondition(limit.where)
}

function ofCondition(condition: Condition): Sure {
  if ('and' in condition) return condition.and.map(ofCondition).reduce(joinNarrowings, NOTHING)
  if ('or' in condition) return eitherOf(condition.or.map(ofCondition))
  if (!('attribute' in condition)) return NOTHING
  const values = valuesOf(condition.test)
  return values === undefined ? NOTHING : new Map([[condition.attribute, new Set(values)]])
}

function valuesOf(test: Test): readonly Scalar[] | undefined {
  switch (test.op) {
    case '$eq':
      return [test.value]
    case '$in':
    case '$any':
    case '$only':
      return test.values
    case '$all':
      return test.values.slice(0, 1)
    case '$ne':
    case '$nin':
    case '$lt':
    case '$lte':
    case '$gt':
    case '$gte':
    case '$exists':
      return undefined
  }
}
