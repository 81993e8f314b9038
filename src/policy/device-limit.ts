/** Whether a device is among those an API user is limited to: a look-up for ids, three-valued for conditions. */

import type { Resource } from '../domain/access-request.ts'
import type { DeviceLimit, Grant } from '../domain/grant.ts'
import type { Ask } from './ask.ts'
import { compileCondition } from './conditions.ts'
import { needsTrue } from './truth.ts'

type DeviceCheck = (ask: Ask) => boolean

/**
 * What is not about one device passes: its actions must be named exactly, which is checked at load. What could have
 * been a device's and is none's is for those who reach all.
 */
export function compileDevices(grant: Pick<Grant, 'devices'>): DeviceCheck {
  const { devices } = grant
  const checks = new Map<string, DeviceCheck>()
  for (const [product, limit] of Object.entries(devices)) checks.set(product, compileLimit(limit))
  return (ask) => {
    const { resource } = ask
    if (resource.type !== 'device') return !ask.ofNoDevice || reachesAll(grant, resource)
    const check = checks.get(resource.product ?? '*') ?? checks.get('*')
    return check !== undefined && check(ask)
  }
}

function compileLimit(limit: DeviceLimit): DeviceCheck {
  if ('all' in limit) return () => true
  if ('ids' in limit) {
    const ids = new Set(limit.ids)
    return ({ resource: { device } }) => device !== undefined && ids.has(device)
  }
  const condition = compileCondition(limit.where)
  return (ask) => needsTrue(condition(ask), ask.reading)
}

/** True where no device that the resource holds is out of reach. */
export function reachesAll({ devices }: Pick<Grant, 'devices'>, resource: Resource): boolean {
  const isAll = (limit: DeviceLimit | undefined) => limit !== undefined && 'all' in limit
  if (resource.product === undefined) {
    return Object.hasOwn(devices, '*') && Object.values(devices).every(isAll)
  }
  const own = Object.hasOwn(devices, resource.product) ? devices[resource.product] : devices['*']
  return isAll(own)
}
