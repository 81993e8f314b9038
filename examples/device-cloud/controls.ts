/** Sets attributes of a device directly, past every rule of the cloud. */
import { setOnline } from './device-behaviour.ts'
import type { EventHub } from './event-hub.ts'
import { listOf, textOf } from './bodies.ts'
import type { Device, World } from './state.ts'

type Change = (device: Device, value: unknown) => void

const changes: Readonly<Record<string, Change>> = {
  groups: (device, value) => {
    device.groups = listOf(value)
  },
  owner: (device, value) => {
    device.owner = textOf(value) ?? null
  },
  notes: (device, value) => {
    device.notes = textOf(value) ?? null
  },
  development: (device, value) => {
    device.development = value === true
  },
  quarantined: (device, value) => {
    device.quarantined = value === true
  },
  denied: (device, value) => {
    device.denied = value === true
  },
  firmware_version: (device, value) => {
    device.firmwareVersion = Number(value)
  },
  desired_firmware_version: (device, value) => {
    device.desiredFirmwareVersion = value === null ? null : Number(value)
  },
  temperature: (device, value) => {
    device.temperature = Number(value)
  },
  battery: (device, value) => {
    device.battery = Number(value)
  },
}

/** Applies all the changes, or none of them and returns the keys it does not know. */
export function changeDevice(
  { world, hub }: { world: World; hub: EventHub },
  device: Device,
  asked: Record<string, unknown>,
): string[] {
  const special: Readonly<Record<string, Change>> = {
    online: (_, value) => setOnline(hub, device, value === true),
    name: (_, value) => world.rename(device, textOf(value) ?? device.name),
    product_id: (_, value) => world.move(device, world.products.get(Number(value)) ?? null),
  }
  // The product first: moving a device clears its groups.
  const known: Readonly<Record<string, Change>> = { ...special, ...changes }
  const unknown = Object.keys(asked).filter((key) => !Object.hasOwn(known, key))
  if (unknown.length > 0) return unknown
  world.touch()
  for (const [key, change] of Object.entries(known)) {
    if (Object.hasOwn(asked, key)) change(device, asked[key])
  }
  return []
}
