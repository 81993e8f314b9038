// The cloud's own client library, unmodified, with nothing changed but its base URL.

import { once } from 'node:events'
import Particle from 'particle-api-js'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startDeviceCloud, type DeviceCloud } from '../../examples/device-cloud/cloud.ts'
import { decisionsSince, requestsAt } from '../kit/cloud-side.ts'
import { traces } from '../kit/invariant.ts'
import { startTestGate, type TestGate } from '../kit/start-gate.ts'

const product = '12345'
let cloud: DeviceCloud
let gate: TestGate
let deviceId: string
let before: number

beforeAll(async () => {
  cloud = await startDeviceCloud({ eventIntervalMs: 0, heartbeatIntervalMs: 50 })
  deviceId = String(cloud.fleet.devices(12345)[0]?.['id'])
  gate = await startTestGate({
    upstream: cloud,
    policies: {
      'users.yaml': `
users:
  dashboard:
    owner: web@acme.example
    product: ${product}
    devices: all
    scopes: [devices:list, devices:get, devices.function:call, devices.variable:get, events:get, events:send]
    expires: never
  builder:
    owner: ci@acme.example
    product: ${product}
    scopes: [firmware:create, firmware:list]
    expires: never
`,
    },
  })
})

afterAll(async () => {
  await gate[Symbol.asyncDispose]()
  await cloud.close()
})

beforeEach(async () => {
  cloud.clear()
  before = (await traces(gate)).total
})

function client(user: string): Particle {
  return new Particle({ baseUrl: gate.url, auth: gate.tokens[user] ?? '' })
}

const seen = () => requestsAt(cloud, gate)
const recorded = () => decisionsSince(gate, before)

describe('particle-api-js through the gate', () => {
  it('lists and pages devices', async () => {
    const listed = await client('dashboard').listDevices({ product, perPage: 7, page: 2 })
    expect(listed.body).toMatchObject({ meta: { total_pages: 18 } })
    expect((listed.body as unknown as { devices: unknown[] }).devices).toHaveLength(7)
    expect(seen()).toHaveLength(1)
    expect(await recorded()).toEqual(['allow'])
  })

  it('reads a device, without the keys the catalog calls secret', async () => {
    const read = await client('dashboard').getDevice({ deviceId, product })
    expect(read.body).toMatchObject({ id: deviceId, name: 'thermostat-001' })
    expect(read.body).not.toHaveProperty('mobile_secret')
    expect(cloud.fleet.device(deviceId)).toHaveProperty('mobile_secret')
    expect(seen()).toEqual([`GET /v1/products/${product}/devices/${deviceId}`])
  })

  it('calls a function and reads a variable', async () => {
    const dashboard = client('dashboard')
    const call = { deviceId, product, name: 'setpoint', argument: '21' }
    expect((await dashboard.callFunction(call)).body.return_value).toBe(21)
    const read = await dashboard.getVariable({ deviceId, product, name: 'temperature' })
    expect(read.body.result).toBe(21)
    expect(await recorded()).toEqual(['allow', 'allow'])
  })

  it('calls by the user form, which is sent on in the product form', async () => {
    await client('dashboard').callFunction({ deviceId, name: 'blink', argument: '' })
    expect(seen().at(-1)).toBe(`POST /v1/products/${product}/devices/${deviceId}/blink`)
    expect(await recorded()).toEqual(['allow'])
  })

  it('publishes an event and receives it on a stream', async () => {
    const dashboard = client('dashboard')
    const stream = await dashboard.getEventStream({ product, name: 'alarm/x y' })
    const arrived = once(stream, 'event')
    await dashboard.publishEvent({ product, name: 'alarm/x y', data: 'hot', isPrivate: true })
    const [event] = await arrived
    expect(event).toMatchObject({ name: 'alarm/x y', data: 'hot' })
    stream.abort()
    // The stream of the whole product, which all clients share.
    expect(seen()[0]).toBe('GET /v1/products/12345/events')
    expect(await recorded()).toEqual(['allow', 'allow'])
  })

  it('uploads product firmware, unbuffered', async () => {
    const uploaded = await client('builder').uploadProductFirmware({
      product,
      version: 7,
      title: 'Seven',
      description: 'from a client',
      file: Buffer.from('binary'),
    })
    expect(uploaded.statusCode).toBe(201)
    expect(uploaded.body).toMatchObject({ version: 7, title: 'Seven', size: 6 })
    expect(seen()).toEqual([`POST /v1/products/${product}/firmware`])
    expect(await recorded()).toEqual(['allow'])
  })

  it('hears the reason of a denied call, and the cloud hears nothing', async () => {
    const denied = client('builder').getDevice({ deviceId, product })
    await expect(denied).rejects.toMatchObject({
      statusCode: 403,
      body: { error: 'permission_denied', error_description: 'This API user may not do this.' },
    })
    await expect(denied).rejects.toThrow(/This API user may not do this/)
    expect(seen()).toEqual([])
    expect(await recorded()).toEqual(['deny'])
  })

  it('is turned away with an unknown token, and a reject row remains', async () => {
    const stranger = new Particle({ baseUrl: gate.url, auth: 'f'.repeat(40) })
    await expect(stranger.getDevice({ deviceId, product })).rejects.toMatchObject({
      statusCode: 401,
    })
    expect(seen()).toEqual([])
    const { total, rejects } = await traces(gate)
    expect(total - before).toBe(1)
    expect(rejects.at(-1)).toMatchObject({ reason: 'invalid_token', status: 401 })
  })
})
