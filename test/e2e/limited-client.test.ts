// The cloud's own client library as an API user that is limited to some devices: to it, there are no others.

import Particle from 'particle-api-js'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startDeviceCloud, type DeviceCloud } from '../../examples/device-cloud/cloud.ts'
import { decisionsSince, requestsAt } from '../kit/cloud-side.ts'
import { traces } from '../kit/invariant.ts'
import { startTestGate, type TestGate } from '../kit/start-gate.ts'

const product = '12345'
let cloud: DeviceCloud
let gate: TestGate
let site: Row[]
let rest: Row[]
let before: number

type Row = Readonly<Record<string, unknown>>
type Listed = { devices: Row[]; customers: Row[]; meta: { total_pages: number } }

beforeAll(async () => {
  cloud = await startDeviceCloud({ eventIntervalMs: 0, heartbeatIntervalMs: 50 })
  const all: Row[] = cloud.fleet.devices(12345).map((device) => ({ ...device }))
  site = all.filter(({ groups }) => Array.isArray(groups) && groups.includes('site-7'))
  rest = all.filter((device) => !site.includes(device))
  gate = await startTestGate({
    upstream: cloud,
    policies: {
      'users.yaml': `
users:
  partner:
    owner: partner@acme.example
    product: ${product}
    devices: { groups: { $any: [site-7] } }
    scopes: [devices:list, devices:get, events:get]
    expires: never
  stranger:
    owner: nobody@acme.example
    product: ${product}
    devices: [ffffffffffffffffffffffff]
    scopes: [devices:list, events:get]
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

async function page(user: string, number: number, perPage: number): Promise<Listed> {
  const { body } = await client(user).listDevices({ product, page: number, perPage })
  return body as unknown as Listed
}

const idsOf = (rows: readonly Row[]) => rows.map(({ id }) => id)

const seen = () => requestsAt(cloud, gate)
const recorded = () => decisionsSince(gate, before)

describe('particle-api-js as an API user that sees a part of the fleet', () => {
  it('pages through its own devices, in the order of the cloud, with its own totals', async () => {
    expect(site.length).toBeGreaterThan(5)
    expect(rest.length).toBeGreaterThan(5)
    const perPage = 3
    const pages = Math.ceil(site.length / perPage)
    const paged: Row[] = []
    for (let number = 1; number <= pages; number += 1) {
      const listed = await page('partner', number, perPage)
      expect(listed.meta).toEqual({ total_pages: pages })
      paged.push(...listed.devices)
    }
    expect(idsOf(paged)).toEqual(idsOf(site))
    expect(await page('partner', pages + 1, perPage)).toMatchObject({ devices: [], customers: [] })
    // The cloud was asked for the group alone, once for all pages.
    expect(seen()).toEqual([`GET /v1/products/${product}/devices?groups=site-7&perPage=100&page=1`])
    expect(await recorded()).toEqual(Array(pages + 1).fill('allow'))
  })

  it('sees an empty fleet where none of its devices is in the product', async () => {
    expect(await page('stranger', 1, 25)).toEqual({
      devices: [],
      customers: [],
      meta: { total_pages: 0 },
    })
    expect(seen()).toEqual([
      `GET /v1/products/${product}/devices?deviceId=${'f'.repeat(24)}&perPage=100&page=1`,
    ])
    expect(await recorded()).toEqual(['allow'])
  })

  it('lists its devices without naming a product, as the command line does', async () => {
    const { body } = await client('partner').listDevices({})
    expect(idsOf(body as unknown as Row[])).toEqual(idsOf(site))
    const none = await client('stranger').listDevices({})
    expect(none.body).toEqual([])
    // Where they are not in memory any more, the cloud is asked for no more than they may see.
    for (const line of seen()) expect(line).toMatch(/[?&](groups=site-7|deviceId=f{24})&/)
    expect(await recorded()).toEqual(['allow', 'allow'])
  })

  it('hears its devices and no other', async () => {
    const stream = await client('partner').getEventStream({ product, name: 'telemetry' })
    const silent = await client('stranger').getEventStream({ product, name: 'telemetry' })
    const heard: Row[] = []
    const leaked: Row[] = []
    stream.on('event', (event: Row) => void heard.push(event))
    silent.on('event', (event: Row) => void leaked.push(event))
    const [mine, foreign] = [String(site[0]?.['id']), String(rest[0]?.['id'])]
    cloud.publish(foreign, 'telemetry/1', 'theirs')
    cloud.publish(mine, 'other', 'unasked')
    cloud.publish(mine, 'telemetry/2', 'ours')
    await expect.poll(() => heard.length).toBeGreaterThan(0)
    stream.abort()
    silent.abort()
    expect(heard).toEqual([
      expect.objectContaining({ name: 'telemetry/2', data: 'ours', coreid: mine }),
    ])
    expect(leaked).toEqual([])
    expect(seen().filter((line) => line.includes('/events'))).toEqual([
      `GET /v1/products/${product}/events`,
    ])
    expect(await recorded()).toEqual(['allow', 'allow'])
  })

  it('reads its own device; another and none look alike', async () => {
    const read = await client('partner').getDevice({ deviceId: String(site[0]?.['id']), product })
    expect(read.body).toMatchObject({ id: site[0]?.['id'] })
    const refused = [String(rest[0]?.['id']), '0123456789abcdef01234567'].map((deviceId) =>
      client('partner')
        .getDevice({ deviceId, product })
        .then(
          () => 'read',
          ({ statusCode, body }: { statusCode: number; body: Row }) => ({
            statusCode,
            error: body['error'],
            says: body['error_description'],
          }),
        ),
    )
    const [foreign, absent] = await Promise.all(refused)
    expect(foreign).toMatchObject({ statusCode: 403, error: 'permission_denied' })
    expect(foreign).toEqual(absent)
    for (const line of seen())
      expect(line).toMatch(/^GET \/v1\/products\/12345\/devices\/[0-9a-f]{24}$/)
    expect(await recorded()).toEqual(['allow', 'deny', 'deny'])
  })
})
