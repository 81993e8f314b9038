/** The `devices` of an API user: all, listed ones, or those under conditions; for the whole boundary or by product. */

import { canonicalId } from '../domain/canonical-id.ts'
import type { Catalog } from '../domain/catalog.ts'
import type { Boundary, DeviceLimit } from '../domain/grant.ts'
import { ID } from './catalog-facts.ts'
import { readConditions, type ConditionDraft, type ConditionScope } from './condition-draft.ts'
import { fill, type Attributes, type Misfit } from './condition-fill.ts'
import type { Fleet } from './fleet.ts'
import { mistakeAt, mistakeAtKey, within, type Part, type Report } from './report.ts'

export type DeviceParts = {
  catalog: Catalog
  fleet: Fleet
  boundary: Boundary | undefined
  attributes: Attributes
  misfit: Misfit
  report: Report
}

export type Limits = Record<string, DeviceLimit>

export function readDevices(part: Part, parts: DeviceParts): Limits {
  const { value } = part
  if (typeof value === 'object' && !Array.isArray(value) && isByProduct(value, parts)) {
    return readByProduct(part, Object.keys(value), parts)
  }
  const limit = readLimit(part, parts)
  return limit === undefined ? {} : { '*': limit }
}

/** Keys that are product ids, fleet names or `*` say "by product"; attributes and operators say "conditions". */
function isByProduct(value: object, { catalog, fleet }: DeviceParts): boolean {
  const keys = Object.keys(value)
  const isCondition = (key: string) =>
    key.startsWith('$') || key === 'ids' || catalog.resources.device.attributes.has(key)
  const isProduct = (key: string) =>
    key === '*' ||
    fleet.hasName('product', key) ||
    canonicalId(catalog.resources.product, key) !== undefined
  return keys.length > 0 && !keys.some(isCondition) && keys.some(isProduct)
}

function readByProduct(part: Part, keys: readonly string[], parts: DeviceParts): Limits {
  const { boundary, fleet, report } = parts
  const limits: Limits = {}
  for (const key of keys) {
    const place = within(part, key)
    const product = key === '*' ? '*' : fleet.idOf('product', key, place)
    const limit = readLimit(place, parts)
    if (product === undefined || limit === undefined) continue
    if (Object.hasOwn(limits, product)) mistakeAtKey(report, place, `"${key}" is said twice`)
    const outside =
      product !== '*' && boundary?.kind === 'products' && !boundary.products.includes(product)
    if (outside) mistakeAtKey(report, place, `"${key}" is outside this API user's boundary`)
    limits[product] = limit
  }
  return limits
}

function readLimit(part: Part, parts: DeviceParts): DeviceLimit | undefined {
  const { value } = part
  if (value === 'all') return { all: true }
  if (typeof value === 'string') return idsAt(part, [value], parts)
  if (Array.isArray(value)) return idsAt(part, value, parts)
  const keys = Object.keys(value)
  if (keys.includes('ids')) {
    const ids = within(part, 'ids')
    if (keys.length > 1) mistakeAt(parts.report, part, 'ids stands alone; conditions go into rules')
    return idsAt(ids, Array.isArray(ids.value) ? ids.value : [ids.value], parts)
  }
  const draft: ConditionDraft = readConditions(part, deviceScope(parts), parts.report)
  return { where: fill(draft, 'attribute', parts) }
}

function idsAt(part: Part, values: readonly unknown[], parts: DeviceParts): DeviceLimit {
  const texts = values.filter((value) => typeof value === 'string')
  if (texts.length < values.length || texts.length === 0) {
    mistakeAt(parts.report, part, 'must be all, a list of ids, or conditions; empty grants nothing')
  }
  return { ids: parts.fleet.deviceIds(texts, part) }
}

function deviceScope({ catalog }: DeviceParts): ConditionScope {
  const { attributes } = catalog.resources.device
  return {
    reads: 'attribute',
    templates: 'taken',
    known: [ID, ...attributes.keys()],
    typeOf(name) {
      if (name === 'name') {
        return { says: 'a name is never a condition: whoever renames could walk in; use ids' }
      }
      if (name === ID) return 'string'
      return attributes.get(name)?.type ?? { says: `unknown attribute "${name}"` }
    },
    idsOf: (name) => (name === ID ? ['device'] : []),
    catalog,
  }
}

/** True where some device of the boundary may be out of reach. */
export function isLimited(limits: Limits, boundary: Boundary | undefined): boolean {
  if (Object.values(limits).some((limit) => !('all' in limit))) return true
  if (Object.hasOwn(limits, '*')) return false
  // A product that is not named has no device in reach.
  return boundary?.kind !== 'products' || boundary.products.some((id) => !Object.hasOwn(limits, id))
}

/** An action for which an API user must say its devices: it is about one, or may be about all that the place holds. */
export function needsDevices(
  actions: ReadonlySet<string>,
  { actions: known, routes }: Catalog,
): string | undefined {
  for (const action of actions) if (known.get(action)?.onDevice === true) return action
  const meansAll = routes.filter(({ devices }) => devices.some(({ absent }) => absent === 'all'))
  return meansAll.flatMap(({ deeds }) => deeds).find(({ action }) => actions.has(action))?.action
}
