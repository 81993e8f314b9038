/** Devices that a query or a body names beside the path. */

import { canonicalId } from '../domain/canonical-id.ts'
import type { Value } from '../domain/access-request.ts'
import type { DevicePlace, ResourceSpec, Route } from '../domain/catalog.ts'
import { Problem } from '../domain/problem.ts'
import { valueAt, type Inputs } from './deeds.ts'
import type { Named } from './ids.ts'

/** Each is decided in the same turn. Without a product each is a look-up as well. */
const MAX_IN_PRODUCT = 5_000
const MAX_LOOKED_UP = 1000

/** A canonical id; undefined: a name that is none, which nobody resolves here. */
export type NamedDevice = string | undefined

export type NamedDevices = {
  /** Each once. */
  ids: readonly NamedDevice[]
  /** `all`: a key is missing without which the cloud takes every device of the place. */
  reach: 'named' | 'all'
}

const NOTHING: NamedDevices = { ids: [], reach: 'named' }
const EVERY: NamedDevices = { ids: [], reach: 'all' }

/**
 * @throws Problem `invalid_request`, `payload_too_large`
 */
export function namedDevices(route: Route, inputs: Inputs, spec: ResourceSpec): NamedDevices {
  if (route.reach === 'all') return EVERY
  if (route.devices.length === 0) return NOTHING
  refuseLookalikes(route, inputs)
  const values = route.devices.map(({ in: where, key }) => valueAt({ in: where, key }, inputs))
  const most = Object.hasOwn(inputs.params, 'product') ? MAX_IN_PRODUCT : MAX_LOOKED_UP
  if (values.reduce<number>((sum, value) => sum + countOf(value), 0) > most) {
    throw new Problem('payload_too_large', { says: `More than ${most} devices are named.` })
  }
  const ids = route.devices.flatMap(({ key, list }, index) => {
    const value = values[index]
    if (value === undefined) return []
    const items: readonly Value[] = isList(value) ? value : [value]
    // An empty list names no device, and to some clouds that means every one.
    if (isList(value) !== list || items.length === 0) refuseIds(key)
    return items.map((item) => {
      const id = typeof item === 'string' ? canonicalId(spec, item) : refuseIds(key)
      // It is sent on as it was written, so it must be written as it is decided.
      return id === undefined || id === item ? id : refuseIds(key)
    })
  })
  const reachesAll = route.devices.some((place) => isMissing(place, inputs))
  return { ids: [...new Set(ids)], reach: reachesAll ? 'all' : 'named' }
}

function isMissing({ in: where, key, absent, or = [] }: DevicePlace, inputs: Inputs): boolean {
  if (absent === undefined) return false
  return [key, ...or].every((one) => valueAt({ in: where, key: one }, inputs) === undefined)
}

/** A body of any keys may hold one that the cloud takes for a place of devices, and the gate does not. */
function refuseLookalikes({ devices, body }: Route, { body: { keys } }: Inputs): void {
  const options = body.kind === 'choice' ? body.of : [body]
  if (!options.some(({ kind }) => kind === 'json')) return
  const known = new Set(devices.flatMap((place) => (place.in === 'body' ? place.key : [])))
  const letters = new Set([...known].map(lettersOf))
  for (const key of Object.keys(keys)) {
    if (known.has(key) || !letters.has(lettersOf(key))) continue
    throw new Problem('invalid_request', {
      says: 'A key of the body is spelled nearly like one that names devices.',
    })
  }
}

/** What is left of a key for a reader who does not mind letter case, separators and forms of letters. */
function lettersOf(key: string): string {
  return key
    .normalize('NFKC')
    .toUpperCase()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]/gu, '')
}

function refuseIds(key: string): never {
  throw new Problem('invalid_request', { says: `"${key}" must name devices by their ids.` })
}

/** Before any of them is looked at. */
function countOf(value: Value | undefined): number {
  if (value === undefined) return 0
  return isList(value) ? value.length : 1
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value)
}

/**
 * Path and body must mean one device, told by its id: the body's is decided, the path's is what the cloud may act on.
 * Asked of the spelling alone, so that the answer does not tell which devices there are.
 * @throws Problem `invalid_request`
 */
export function requireAgreement(
  { device }: Named,
  others: readonly NamedDevice[],
  spec: ResourceSpec,
): void {
  if (device === undefined || others.length === 0) return
  const id = canonicalId(spec, device)
  if (id === undefined || others.some((other) => other !== id)) {
    throw new Problem('invalid_request', { says: 'Path and body name different devices.' })
  }
}
