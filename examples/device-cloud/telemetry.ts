/** Devices that publish on their own: one after the other, product after product. */
import type { EventHub } from './event-hub.ts'
import { roll } from './identity.ts'
import type { Device, Product, World } from './state.ts'

export interface Telemetry {
  stop(): void
}

export function startTelemetry(world: World, hub: EventHub, intervalMs: number): Telemetry {
  if (intervalMs <= 0) return { stop: () => {} }
  let count = 0
  const timer = setInterval(() => {
    const products = [...world.products.values()]
    const product = products[count % products.length]
    const device = product && nextOnline(product, Math.floor(count / products.length))
    if (device) report(hub, device, count)
    count += 1
  }, intervalMs)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}

function nextOnline({ devices }: Product, turn: number): Device | undefined {
  for (let step = 0; step < Math.min(devices.length, 20); step += 1) {
    const device = devices[(turn + step) % devices.length]
    if (device?.online) return device
  }
  return undefined
}

/** The temperature wanders around what was asked for; every tenth report is about the battery. */
function report(hub: EventHub, device: Device, count: number): void {
  if (count % 10 === 9) {
    device.battery = Math.max(1, device.battery - 0.1)
    hub.fromDevice(device, 'battery', device.battery.toFixed(1))
    return
  }
  device.temperature = device.setpoint + roll(device.origin, count, 41, 20) / 10 - 1
  hub.fromDevice(device, 'temperature', device.temperature.toFixed(1))
}
