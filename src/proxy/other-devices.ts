/** Where the devices are that a request names beside its path. */

import { inTurns } from '../lib/in-turns.ts'
import type { IdResolver, Resolved } from './ids.ts'
import type { NamedDevice } from './named-devices.ts'

const NOBODYS: Resolved = { kind: 'unresolved', reason: 'outside_devices' }
const NO_OTHERS: readonly Resolved[] = []

/** Look-ups of one request at a time: others want the connections too. */
const AT_A_TIME = 16

/**
 * In a product nobody has to be asked. Elsewhere each device is looked up, and all is over with the first that
 * cannot be theirs.
 */
export function otherDevices<Who>(
  devices: readonly NamedDevice[],
  place: Resolved,
  ids: IdResolver<Who>,
  principal: Who,
): readonly Resolved[] | Promise<readonly Resolved[]> {
  // What cannot be resolved is denied as it is.
  if (place.kind === 'unresolved') return NO_OTHERS
  const { resource } = place
  if (resource.product !== undefined) {
    return devices.map((device) =>
      device === undefined
        ? NOBODYS
        : { kind: 'resource', resource: { ...resource, type: 'device', device } },
    )
  }
  if (devices.includes(undefined)) return [NOBODYS]
  // The place alone is asked about, and denied: the look-ups would be for nothing.
  if (resource.type !== 'none' && !ids.isInReach(resource, principal)) return NO_OTHERS
  return lookedUp(devices, resource.organization, ids, principal)
}

async function lookedUp<Who>(
  devices: readonly NamedDevice[],
  organization: string | undefined,
  ids: IdResolver<Who>,
  principal: Who,
): Promise<readonly Resolved[]> {
  const place = organization === undefined ? {} : { organization }
  const found: Resolved[] = []
  await inTurns([...devices.entries()], AT_A_TIME, async ([at, device]) => {
    if (device === undefined || found.some(isUnresolved)) return
    found[at] = await ids.resolve({ ...place, device }, principal)
  })
  const bad = found.find(isUnresolved)
  return bad === undefined ? found : [bad]
}

function isUnresolved({ kind }: Resolved): boolean {
  return kind === 'unresolved'
}
