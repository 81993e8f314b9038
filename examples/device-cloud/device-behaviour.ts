/** What a simulated device does when it is called, read, flashed or switched on and off. */
import type { EventHub } from './event-hub.ts'
import type { Device } from './state.ts'

export function callFunction(
  hub: EventHub,
  device: Device,
  name: string,
  argument: string,
): number {
  switch (name) {
    case 'setpoint':
      return changeSetpoint(hub, device, argument)
    case 'reboot':
      device.lastHandshakeAt = new Date().toISOString()
      hub.fromDevice(device, 'spark/status', 'offline')
      hub.fromDevice(device, 'spark/status', 'online')
      return 0
    case 'unlock':
      hub.fromDevice(device, 'lock', 'open')
      return 1
    case 'blink':
      return Number.parseInt(argument, 10) || 1
    default:
      return -1
  }
}

export function readVariable(device: Device, name: string): number {
  return name === 'battery' ? device.battery : device.temperature
}

export function setOnline(hub: EventHub, device: Device, online: boolean): void {
  if (device.online === online) return
  device.online = online
  if (online) device.lastHandshakeAt = new Date().toISOString()
  hub.fromDevice(device, 'spark/status', online ? 'online' : 'offline')
}

/** An update of the application; `version` is null for a binary of one's own. */
export function flash(hub: EventHub, device: Device, version: number | null): void {
  hub.fromDevice(device, 'spark/flash/status', 'started ')
  if (version !== null) device.firmwareVersion = version
  hub.fromDevice(device, 'spark/flash/status', 'success ')
}

/** The room is at the asked temperature at once, so that the effect of a call can be seen. */
function changeSetpoint(hub: EventHub, device: Device, argument: string): number {
  const wanted = Number(argument)
  if (argument.trim() === '' || !Number.isFinite(wanted)) return -1
  device.setpoint = wanted
  device.temperature = wanted
  hub.fromDevice(device, 'temperature', String(wanted))
  return Math.round(wanted)
}
