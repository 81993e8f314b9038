/** Starts a simulated device cloud in this process, and is the handle to it. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { createApp } from './app.ts'
import { changeDevice } from './controls.ts'
import { EventHub } from './event-hub.ts'
import { devicePayload, organizationPayload, productPayload } from './payloads.ts'
import type { Payload } from './payloads.ts'
import { Recorder } from './recorder.ts'
import type { RecordedRequest } from './recorder.ts'
import { accountName, seedWorld } from './seed.ts'
import type { Device, World } from './state.ts'
import { Team } from './team.ts'
import { startTelemetry } from './telemetry.ts'
import { Tokens } from './tokens.ts'
import { Traffic } from './traffic.ts'
import type { Fault } from './traffic.ts'

export interface DeviceCloudOptions {
  /** 0 takes any free port. */
  port?: number
  host?: string
  /** Size of the fleet of product 12345. */
  devices?: number
  /** Between two events of devices; 0 means devices publish only when something happens to them. */
  eventIntervalMs?: number
  heartbeatIntervalMs?: number
  /** Off for benchmarks: then requests are not kept. */
  record?: boolean
  /** The all-powerful token; generated where none is given. */
  token?: string
  /** The latest time among the seeded ones. */
  baseTime?: Date
}

/** Copies of what the cloud holds now, as it would show them to the all-powerful token. */
export interface Fleet {
  organizations(): Payload[]
  products(): Payload[]
  devices(productId: number): Payload[]
  device(idOrName: string): Payload | undefined
}

export interface DeviceCloud {
  readonly url: string
  readonly port: number
  readonly token: string
  readonly fleet: Fleet
  requests(): RecordedRequest[]
  /** How many requests arrived by method and path (`GET /v1/user`), whether they are recorded or not. */
  counts(): Record<string, number>
  /** Forgets requests and counts. */
  clear(): void
  /** Open now, and the most streams that were ever open at a time. */
  connections(): Promise<{ sockets: number; streams: number; mostStreams: number }>
  /** As if the device had published it. */
  publish(device: string, name: string, data: string | null): void
  /** The same for many, cheaply: one write a stream, and no webhooks run. */
  publishMany(events: readonly { device: string; name: string; data: string | null }[]): void
  /** Sets attributes past every rule: online, groups, name, firmware_version and so on. */
  setDevice(device: string, attributes: Record<string, unknown>): void
  /** Puts a SIM card into this device; the card that was in it goes where the other came from. */
  moveSim(iccid: string, device: string): void
  /** Makes the next answers odd; the first fault that fits a request is used up first. */
  fault(fault: Fault): void
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export async function startDeviceCloud(options: DeviceCloudOptions = {}): Promise<DeviceCloud> {
  const { port = 0, host = '127.0.0.1', devices = 120, eventIntervalMs = 1000 } = options
  const baseTime = options.baseTime ?? new Date('2026-01-15T12:00:00.000Z')
  const world = seedWorld({ devices, baseTime })
  const tokens = new Tokens()
  const token = options.token ?? randomBytes(20).toString('hex')
  tokens.issue(
    {
      kind: 'user',
      name: accountName,
      products: null,
      scopes: null,
      client: 'simulator',
      expiresAt: null,
    },
    token,
  )
  const hub = new EventHub(world, options.heartbeatIntervalMs ?? 9000)
  tokens.onRevoke((dead) => hub.endStreamsOf(dead))
  const recorder = options.record === false ? null : new Recorder()
  const server = createServer()
  const countSockets = promisify(server.getConnections.bind(server))
  const team = new Team(world, tokens)
  const traffic = new Traffic()
  const app = createApp({ world, tokens, team, hub, recorder, traffic, connections: countSockets })
  server.on('request', app)
  if (recorder) server.on('connection', (socket) => recorder.tap(socket))
  // As long as the usual proxy in front of a cloud; Node's own five seconds would race with pools.
  server.keepAliveTimeout = 75_000
  const telemetry = startTelemetry(world, hub, eventIntervalMs)

  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address() as AddressInfo

  const close = async (): Promise<void> => {
    telemetry.stop()
    hub.close()
    await stop(server)
  }
  return {
    url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
    port: address.port,
    token,
    fleet: fleetOf(world),
    requests: () => recorder?.requests() ?? [],
    counts: () => traffic.counts(),
    clear: () => {
      recorder?.clear()
      traffic.clear()
    },
    connections: async () => ({
      sockets: await countSockets(),
      streams: hub.openStreams,
      mostStreams: hub.mostStreams,
    }),
    publish: (device, name, data) => hub.fromDevice(existing(world, device), name, data),
    publishMany: (events) => {
      hub.fromDevices(events.map((event) => ({ ...event, device: existing(world, event.device) })))
    },
    setDevice: (device, attributes) => {
      const unknown = changeDevice({ world, hub }, existing(world, device), attributes)
      if (unknown.length > 0) throw new Error(`unknown device attributes: ${unknown.join(', ')}`)
    },
    moveSim: (iccid, device) => {
      if (!world.moveSim(iccid, existing(world, device))) throw new Error(`no such SIM: ${iccid}`)
    },
    fault: (fault) => traffic.add(fault),
    close,
    [Symbol.asyncDispose]: close,
  }
}

function fleetOf(world: World): Fleet {
  return {
    organizations: () => world.organizations.map((each) => organizationPayload(each, world)),
    products: () => [...world.products.values()].map(productPayload),
    devices: (productId) => {
      const product = world.products.get(productId)
      return product?.devices.map((device) => devicePayload(device, 'product')) ?? []
    },
    device: (idOrName) => {
      const device = world.deviceByIdOrName(idOrName)
      return device && devicePayload(device, 'product')
    },
  }
}

function existing(world: World, idOrName: string): Device {
  const device = world.deviceByIdOrName(idOrName)
  if (!device) throw new Error(`no such device: ${idOrName}`)
  return device
}

async function stop(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
