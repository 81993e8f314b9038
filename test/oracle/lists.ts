/** The list an API user is due: that of a cloud which holds only its devices. */

import { admitted } from './decide.ts'
import { seenBy } from './answers.ts'
import type { Policy } from './language.ts'
import type { Customer, Item, World } from './world.ts'

export type Page = {
  devices: readonly Item[]
  customers: readonly Customer[]
  meta: { total_pages: number }
}

/** What a filter or an order reads, and so what must not be hidden from who uses it. */
export const readBy: Readonly<Record<string, string>> = {
  deviceId: 'id',
  deviceName: 'name',
  serialNumber: 'serial_number',
  groups: 'groups',
  quarantined: 'quarantined',
  firmwareVersion: 'firmware_version',
  lastConnection: 'last_heard',
}

export type DueList =
  | { outcome: 'denied' }
  /** Each as it is shown, beside what the cloud holds; in the cloud's order. */
  | { outcome: 'shown'; seen: readonly { item: Item; whole: Item }[] }

/** @param found what the cloud's own unfiltered answer to the same query holds, in its order */
export function dueList(
  policy: Policy,
  name: string,
  world: World,
  ask: { product: string; found: readonly Item[] },
): DueList {
  const { product } = ask
  if (!admitted(policy, name, world, { action: 'devices:list', product })) {
    return { outcome: 'denied' }
  }
  const seen = ask.found.flatMap((device) => {
    const item = seenBy(policy, name, world, { action: 'devices:list', product, device })
    return item === undefined ? [] : [{ item, whole: device }]
  })
  return { outcome: 'shown', seen }
}

export function pageOf(
  seen: readonly { item: Item; whole: Item }[],
  customers: readonly Customer[],
  { page, size = 25 }: { page: number; size?: number | undefined },
): Page {
  const shown = seen.slice((page - 1) * size, page * size)
  // An owner that is not shown is not shown under another key either.
  const owners = new Set(shown.map(({ item }) => item['owner']))
  return {
    devices: shown.map(({ item }) => item),
    customers: customers.filter(({ username }) => owners.has(username)),
    meta: { total_pages: Math.ceil(seen.length / size) },
  }
}

/** `GET /v1/devices`: all products of the boundary, one behind the other; undefined where it is denied. */
export function dueOwnDevices(policy: Policy, name: string, world: World): Item[] | undefined {
  const lists = world.products.flatMap(({ id: product, devices: found }) => {
    const due = dueList(policy, name, world, { product, found })
    return due.outcome === 'denied' ? [] : [due.seen.map(({ item }) => item)]
  })
  return lists.length === 0 ? undefined : lists.flat()
}
