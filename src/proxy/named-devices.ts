/** Devices that a query or a body names beside the path. */

import type { Value } from '../domain/access-request.ts'
import type { ResourceSpec, Route } from '../domain/catalog.ts'
import { Problem } from '../domain/problem.ts'
import { valueAt, type Inputs } from './deeds.ts'
import { idOf, type Named } from './ids.ts'

/** Each is decided in the same turn; a cloud's own batches are smaller. */
const MAX_DEVICES = 1000

const NO_IDS: readonly string[] = []

/**
 * Their ids, each once; undefined: a name that is no id, which nobody resolves here.
 * @throws Problem `invalid_request`
 */
export function namedDevices(
  route: Route,
  inputs: Inputs,
  spec: ResourceSpec,
): readonly (string | undefined)[] {
  if (route.devices.length === 0) return NO_IDS
  const ids = route.devices.flatMap(({ in: where, key, list }) => {
    const value = valueAt({ in: where, key }, inputs)
    if (value === undefined) return []
    const items: readonly Value[] = isList(value) ? value : [value]
    // An empty list names no device, and to some clouds that means every one.
    if (isList(value) !== list || items.length === 0) refuseIds(key)
    return items.map((item) => {
      const id = typeof item === 'string' ? idOf(item, spec) : refuseIds(key)
      // It is sent on as it was written, so it must be written as it is decided.
      return id === undefined || id === item ? id : refuseIds(key)
    })
  })
  if (ids.length > MAX_DEVICES) {
    throw new Problem('payload_too_large', { says: `More than ${MAX_DEVICES} devices are named.` })
  }
  return [...new Set(ids)]
}

function refuseIds(key: string): never {
  throw new Problem('invalid_request', { says: `"${key}" must name devices by their ids.` })
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
  others: readonly (string | undefined)[],
  spec: ResourceSpec,
): void {
  if (device === undefined || others.length === 0) return
  const id = idOf(device, spec)
  if (id === undefined || others.some((other) => other !== id)) {
    throw new Problem('invalid_request', { says: 'Path and body name different devices.' })
  }
}
