/** The simulated cloud in a process of its own, which publishes at a steady rate when it is told to. */

import { startDeviceCloud } from '../examples/device-cloud/cloud.ts'
import { serveParent } from './processes.ts'

const PRODUCT = 12345
const TICK_MS = 5

const cloud = await startDeviceCloud({
  devices: Number(process.argv[2]),
  eventIntervalMs: 0,
  record: false,
})
const ids = cloud.fleet.devices(PRODUCT).map(({ id }) => String(id))
let published = 0
process.once('SIGTERM', () => void cloud.close().then(() => process.exit()))

/** `publish`: so many events a second, for so long. `set`: attributes of the devices at these places. `look`: nothing. */
await serveParent({ url: cloud.url, token: cloud.token }, async (message) => {
  const { publish, set } = message
  if (publish !== undefined) await publishFor(Object(publish))
  if (set !== undefined) {
    const { devices, attributes }: { devices: number[]; attributes: object } = Object(set)
    for (const at of devices) cloud.setDevice(ids[at] ?? '', { ...attributes })
  }
  return { counts: cloud.counts(), ...(await cloud.connections()), ids: ids.slice(0, 1000) }
})

/** Devices take turns. The data of an event is its number among its device's, and the moment: `17 123456789` (µs). */
async function publishFor({ perSecond, seconds }: { perSecond: number; seconds: number }) {
  const before = published
  const total = before + perSecond * seconds
  const startedAt = performance.now()
  while (published < total) {
    const elapsed = (performance.now() - startedAt) / 1000
    const due = Math.min(total, before + Math.floor(elapsed * perSecond))
    const events = []
    for (; published < due; published += 1) {
      const turn = Math.floor(published / ids.length) + 1
      const device = ids[published % ids.length] ?? ''
      events.push({ device, name: 'bench', data: `${turn} ${microseconds()}` })
    }
    cloud.publishMany(events)
    await new Promise((resolve) => setTimeout(resolve, TICK_MS))
  }
}

/** The same clock in every process of a machine. */
function microseconds(): bigint {
  return process.hrtime.bigint() / 1000n
}
